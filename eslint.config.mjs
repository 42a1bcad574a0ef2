import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/**
 * What each layer may import from the others (ARCHITECTURE.md). A layer not listed for a file is an error there.
 * `contract` names the only files of `lab` that the extension may see: it has no GPU of its own.
 */
const layers = ['core', 'gpu', 'lab', 'worker', 'extension', 'webview', 'native', 'cli'];
const mayImport = {
  core: [],
  gpu: ['core'],
  lab: ['core', 'gpu'],
  worker: ['core', 'lab'],
  extension: ['core', 'lab'],
  webview: ['core', 'gpu', 'lab'],
  native: ['core', 'gpu', 'lab'],
  cli: ['core', 'lab', 'native'],
};

const layerRules = layers.map((layer) => {
  const forbidden = layers.filter((other) => other !== layer && !mayImport[layer].includes(other));
  const patterns = [
    {
      group: forbidden.map((other) => `**/${other}/**`),
      message: `src/${layer} may import ${mayImport[layer].join(', ') || 'no other layer'}; see ARCHITECTURE.md.`,
    },
    {
      group: ['@vscode/webview-ui-toolkit', '@vscode/webview-ui-toolkit/*'],
      message: 'Only src/webview/toolkit.ts imports the toolkit, so that its successor can take its place.',
    },
  ];
  if (layer === 'extension') {
    patterns.push({
      regex: '/lab/(?!contract\\.js|channel\\.js|panel\\.js)',
      message: 'The extension knows the lab by its contract alone: contract.ts, channel.ts, panel.ts.',
    });
  } else {
    patterns.push({ group: ['vscode'], message: 'Only src/extension imports vscode.' });
  }
  if (!['native', 'cli'].includes(layer)) {
    patterns.push({ group: ['node:*'], message: `src/${layer} runs in a browser too and has no Node.` });
  }
  if (layer !== 'core') {
    patterns.push({ group: ['wesl', 'wesl/*'], message: 'Only src/core/wgsl knows the WGSL parser.' });
  }
  return {
    files: [`src/${layer}/**/*.ts`],
    rules: { 'no-restricted-imports': ['error', { patterns }] },
  };
});

export default tseslint.config(
  { ignores: ['dist/', '.build/', '.tools/', 'node_modules/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Typed arrays are indexed in every inner loop of the reference mathematics; their bounds are the loop's own.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/prefer-for-of': 'off',
      'no-console': 'error',
      'max-lines': ['warn', { max: 400, skipComments: true, skipBlankLines: true }],
      eqeqeq: 'error',
    },
  },
  { files: ['src/native/**/*.ts', 'src/cli/**/*.ts', 'test/**/*.ts'], rules: { 'no-console': 'off' } },
  ...layerRules,
  {
    files: ['src/webview/toolkit.ts'],
    rules: { 'no-restricted-imports': 'off' },
  },
  {
    files: ['**/*.mjs', '**/*.cjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        fetch: 'readonly',
        Buffer: 'readonly',
        AbortSignal: 'readonly',
      },
    },
  },
);
