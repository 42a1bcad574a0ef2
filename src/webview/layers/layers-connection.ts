import { Channel } from '../../lab/channel.js';
import type { LayersHostMethods } from '../../lab/panel.js';
import { setStrings, t } from '../strings.js';
import { wordsOf } from '../trouble.js';
import { acquireWindow } from '../vscode-api.js';
import { readLayersState, type LayersPage } from './layers-page.js';

/** Ties the page of caches to the extension, of which it needs the texts and the saving of pictures. */
export async function startLayers(page: LayersPage): Promise<void> {
  const ties = acquireWindow();
  const channel = new Channel<LayersHostMethods, object>(ties.port, {});
  const ask = (request: Promise<null>): void => {
    request.catch((error: unknown) => {
      page.trouble = t('The extension did not take the request: {0}', wordsOf(error));
    });
  };
  window.addEventListener('pagehide', () => channel.dispose());
  try {
    const snapshot = await channel.call('ready', null);
    setStrings(snapshot.strings);
    page.rates = snapshot.rates;
  } catch (error) {
    page.trouble = t('The extension did not answer: {0}. Close this panel and open it again.', wordsOf(error));
  }
  page.connect(
    {
      saveText: (suggestedName, text) => ask(channel.call('save', { suggestedName, text, base64: null })),
      savePng: (suggestedName, base64) => {
        ask(base64.then((bytes) => channel.call('save', { suggestedName, text: null, base64: bytes })));
      },
    },
    readLayersState(ties.loadState()),
    ties.saveState,
  );
}
