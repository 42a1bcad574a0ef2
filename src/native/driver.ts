import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The file by which the Vulkan loader finds SwiftShader, the software driver that browsers and VS Code bring along. */
const manifest = 'vk_swiftshader_icd.json';

/** Folders in which browsers, VS Code and Electron keep it on Linux. */
const installations = [
  '/usr/lib/chromium',
  '/usr/lib/chromium-browser',
  '/usr/lib64/chromium-browser',
  '/opt/google/chrome',
  '/opt/google/chrome-beta',
  '/opt/microsoft/msedge',
  '/opt/brave.com/brave',
  '/snap/chromium/current/usr/lib/chromium-browser',
  '/usr/share/code',
  '/usr/share/code-insiders',
  '/usr/share/codium',
  '/opt/visual-studio-code',
  '/usr/lib/code',
  '/snap/code/current/usr/share/code',
];

/** True where the user has chosen a Vulkan driver: Tilescope then chooses none. */
export function driverIsChosen(env: NodeJS.ProcessEnv): boolean {
  return Boolean(env.VK_ICD_FILENAMES ?? env.VK_DRIVER_FILES);
}

/** Path of the manifest of a software Vulkan driver on this machine, or null where none is found (Linux only). */
export function findSoftwareDriver(): string | null {
  if (process.platform !== 'linux') return null;
  const found = [...installations, ...electrons(), ...playwrightBrowsers(), ...vscodeTestDownloads()]
    .map((folder) => join(folder, manifest))
    .find((path) => existsSync(path));
  return found ?? null;
}

/** Electron's folder in every `node_modules` from here to the root of the file system. */
function electrons(): string[] {
  return ancestors().map((folder) => join(folder, 'node_modules', 'electron', 'dist'));
}

function vscodeTestDownloads(): string[] {
  return ancestors().flatMap((folder) => children(join(folder, '.vscode-test')));
}

function playwrightBrowsers(): string[] {
  const browsers = process.env.PLAYWRIGHT_BROWSERS_PATH ?? join(homedir(), '.cache', 'ms-playwright');
  return children(browsers).map((folder) => join(folder, 'chrome-linux'));
}

function ancestors(): string[] {
  const folders: string[] = [];
  let folder = dirname(fileURLToPath(import.meta.url));
  while (dirname(folder) !== folder) {
    folders.push(folder);
    folder = dirname(folder);
  }
  return folders;
}

function children(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    // Most of these folders do not exist on most machines.
    return [];
  }
}

/** The environment in which the Vulkan loader uses the driver of a manifest. The loader itself often lies beside it. */
export function softwareDriverEnvironment(manifestPath: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const libraries = [env.LD_LIBRARY_PATH, dirname(manifestPath)].filter(Boolean).join(delimiter);
  return { VK_ICD_FILENAMES: manifestPath, LD_LIBRARY_PATH: libraries };
}
