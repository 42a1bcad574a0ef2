import { testKernelGrid } from './kernel-grid.js';

await testKernelGrid(1);
