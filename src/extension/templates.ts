import * as vscode from 'vscode';
import { mechanisms } from '../core/attention/catalogue.js';
import { kernelSkeleton } from './skeleton.js';

/** A built-in kernel: a file under `shaders/`, copied as it stands. */
export interface BuiltinKernel {
  readonly path: string;
  readonly title: string;
}

/** The built-in kernels, simple ones first. A list, because a web extension host cannot read its own folders. */
export const builtinKernels: readonly BuiltinKernel[] = [
  { path: 'softmax/naive.wgsl', title: 'Softmax attention, naive' },
  { path: 'softmax/flash.wgsl', title: 'Softmax attention, flash' },
  { path: 'softmax/sliding-window.wgsl', title: 'Softmax attention, sliding window' },
  { path: 'softmax/backward.wgsl', title: 'Softmax attention, backward' },
  { path: 'softmax/decode.wgsl', title: 'Softmax attention, decode with split keys' },
  { path: 'softmax/decode-f16.wgsl', title: 'Softmax attention, decode from a cache in f16' },
  { path: 'softmax/paged-decode.wgsl', title: 'Softmax attention, decode with a paged cache' },
  { path: 'split-kv/merge.wgsl', title: 'Split-KV decoding, the merge of its parts' },
  { path: 'rotating-cache/decode.wgsl', title: 'Rotating KV caches, decode' },
  { path: 'rotating-cache/decode-f16.wgsl', title: 'Rotating KV caches, decode in f16' },
  { path: 'linear/left-product.wgsl', title: 'Linear attention, left product' },
  { path: 'linear/right-product.wgsl', title: 'Linear attention, right product' },
  { path: 'linear/backward.wgsl', title: 'Linear attention, backward' },
  { path: 'linear/decode.wgsl', title: 'Linear attention, decode' },
  { path: 'linear/decode-f16.wgsl', title: 'Linear attention, decode with a state in f16' },
  { path: 'performer/favor.wgsl', title: 'Performer attention, FAVOR+' },
  { path: 'performer/favor-backward.wgsl', title: 'Performer attention, FAVOR+, backward' },
  { path: 'cosformer/chunked.wgsl', title: 'cosFormer attention, chunked' },
  { path: 'cosformer/backward.wgsl', title: 'cosFormer attention, backward' },
  { path: 'cosformer/decode.wgsl', title: 'cosFormer attention, decode' },
  { path: 'cosformer/decode-f16.wgsl', title: 'cosFormer attention, decode with a state in f16' },
  { path: 'lightning/lightning1.wgsl', title: 'Lightning Attention-1' },
  { path: 'lightning/lightning2.wgsl', title: 'Lightning Attention-2' },
  { path: 'lightning/lightning2-loop.wgsl', title: 'Lightning Attention-2, one loop over chunks' },
  { path: 'lightning/backward.wgsl', title: 'Lightning Attention-2, backward' },
  { path: 'lightning/decode.wgsl', title: 'Lightning Attention, decode' },
  { path: 'lightning/decode-f16.wgsl', title: 'Lightning Attention, decode with tokens in f16' },
  { path: 'gated-linear/simple.wgsl', title: 'Gated Linear Attention, one gate per head' },
  { path: 'gated-linear/simple-backward.wgsl', title: 'Gated Linear Attention, one gate per head, backward' },
  { path: 'gated-linear/chunked.wgsl', title: 'Gated Linear Attention, a gate per key channel' },
  { path: 'gated-linear/backward.wgsl', title: 'Gated Linear Attention, backward' },
  { path: 'gated-linear/decode.wgsl', title: 'Gated Linear Attention, decode' },
  { path: 'gated-linear/decode-f16.wgsl', title: 'Gated Linear Attention, decode with tokens in f16' },
  { path: 'retention/chunked.wgsl', title: 'Retention, chunkwise' },
  { path: 'retention/backward.wgsl', title: 'Retention, backward' },
  { path: 'retention/decode.wgsl', title: 'Retention, decode' },
  { path: 'retention/decode-f16.wgsl', title: 'Retention, decode with tokens in f16' },
  { path: 'transnormer/norm-attention.wgsl', title: 'NormAttention of TransNormer' },
  { path: 'transnormer/norm-attention-backward.wgsl', title: 'NormAttention of TransNormer, backward' },
  { path: 'mla/prefill.wgsl', title: 'Multi-head latent attention (MLA), prompt: materialised keys and values' },
  { path: 'mla/decode.wgsl', title: 'Multi-head latent attention (MLA), decode' },
  { path: 'mla/decode-f16.wgsl', title: 'Multi-head latent attention (MLA), decode from a cache in f16' },
  { path: 'grouped-latent/decode.wgsl', title: 'Grouped Latent Attention, decode' },
  { path: 'grouped-tied/prefill.wgsl', title: 'Grouped-Tied Attention' },
  { path: 'grouped-tied/backward.wgsl', title: 'Grouped-Tied Attention, backward' },
  { path: 'grouped-tied/decode.wgsl', title: 'Grouped-Tied Attention, decode' },
  { path: 'grouped-tied/decode-f16.wgsl', title: 'Grouped-Tied Attention, decode with a cache in f16' },
  { path: 'grouped-latent/paged-decode.wgsl', title: 'Paged latent attention (MLA, Grouped Latent Attention), decode' },
  { path: 'mosaic/context-memory.wgsl', title: 'Memory Mosaics context memory' },
  { path: 'mosaic/decode.wgsl', title: 'Memory Mosaics context memory, decode' },
  { path: 'mosaic/decode-f16.wgsl', title: 'Memory Mosaics context memory, decode with a cache in f16' },
  { path: 'transnormer/diag-attention.wgsl', title: 'DiagAttention of TransNormer' },
  { path: 'gated-unit/forward.wgsl', title: 'Gated attention unit (GAU)' },
  { path: 'flash-mixed-chunk/forward.wgsl', title: 'FLASH (not FlashAttention)' },
  { path: 'state-space/chunked.wgsl', title: 'Mamba-2 state space duality, chunked' },
  { path: 'state-space/decode.wgsl', title: 'Mamba-2 state space duality, decode' },
  { path: 'state-space/decode-f16.wgsl', title: 'Mamba-2 state space duality, decode in f16' },
  { path: 's4/chunked.wgsl', title: 'S4D, chunked' },
  { path: 's4/decode.wgsl', title: 'S4D, decode' },
  { path: 's4/decode-f16.wgsl', title: 'S4D, decode with parameters in f16' },
  { path: 'rotary-embedding/rotate.wgsl', title: 'Rotary position embedding' },
  { path: 'rotary-embedding/rotate-back.wgsl', title: 'Rotary position embedding, backward' },
  { path: 'newton-schulz/newton-schulz.wgsl', title: 'Newton–Schulz iteration' },
  { path: 'mlp-gradient/mlp-gradient.wgsl', title: 'Gradient of an MLP memory' },
  { path: 'polynomial-features/polynomial-features.wgsl', title: 'Polynomial features' },
  { path: 'delta/chunked.wgsl', title: 'Delta rule, chunked' },
  { path: 'delta/decode.wgsl', title: 'Delta rule, decode' },
  { path: 'delta/decode-f16.wgsl', title: 'Delta rule, decode in f16' },
  { path: 'gated-delta/chunked.wgsl', title: 'Gated delta rule, chunked' },
  { path: 'gated-delta/decode.wgsl', title: 'Gated delta rule, decode' },
  { path: 'gated-delta/decode-f16.wgsl', title: 'Gated delta rule, decode in f16' },
  { path: 'titans/chunked.wgsl', title: 'Titans memory, chunked' },
  { path: 'titans/decode.wgsl', title: 'Titans memory, decode' },
  { path: 'titans/decode-f16.wgsl', title: 'Titans memory, decode with tokens and momentum in f16' },
  { path: 'atlas/omega.wgsl', title: 'ATLAS memory, token by token with Newton–Schulz' },
  { path: 'titans-mlp/chunked.wgsl', title: 'Titans MLP memory, chunked' },
];

/** The sample that a first user meets. */
export const samplePath = 'lightning/lightning2.wgsl';

interface TemplateItem extends vscode.QuickPickItem {
  readonly load?: () => Promise<string>;
}

/** Opens a built-in kernel as an untitled copy. */
export async function openBuiltin(extensionUri: vscode.Uri, path: string): Promise<vscode.TextDocument> {
  return openUntitled(await readBuiltin(extensionUri, path));
}

/** Lets the user choose a template and opens it as an untitled kernel; null where nothing was chosen. */
export async function newKernel(extensionUri: vscode.Uri): Promise<vscode.TextDocument | null> {
  const { l10n } = vscode;
  const separator = (label: string): TemplateItem => ({ label, kind: vscode.QuickPickItemKind.Separator });
  const items: TemplateItem[] = [
    separator(l10n.t('Copies of built-in kernels')),
    ...builtinKernels.map(({ path, title }) => ({
      label: title,
      description: path,
      load: () => readBuiltin(extensionUri, path),
    })),
    separator(l10n.t('Bindings without mathematics')),
    ...mechanisms.map((mechanism) => ({
      label: mechanism.title,
      description: mechanism.id,
      detail: mechanism.summary,
      load: () => Promise.resolve(kernelSkeleton(mechanism)),
    })),
  ];
  const chosen = await vscode.window.showQuickPick(items, {
    title: l10n.t('New Kernel from Template'),
    placeHolder: l10n.t('What should the kernel start from?'),
    matchOnDescription: true,
  });
  return chosen?.load === undefined ? null : openUntitled(await chosen.load());
}

/** Opens a text as a new untitled kernel in the editor. */
export async function openUntitled(content: string): Promise<vscode.TextDocument> {
  const document = await vscode.workspace.openTextDocument({ language: 'wgsl', content });
  await vscode.window.showTextDocument(document);
  return document;
}

async function readBuiltin(extensionUri: vscode.Uri, path: string): Promise<string> {
  const bytes = await vscode.workspace.fs.readFile(vscode.Uri.joinPath(extensionUri, 'shaders', path));
  return new TextDecoder().decode(bytes);
}
