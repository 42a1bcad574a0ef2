import { Channel } from '../../lab/channel.js';
import type { HostMethods, ViewMethods } from '../../lab/panel.js';
import { t } from '../strings.js';
import { wordsOf } from '../trouble.js';
import { acquireWindow } from '../vscode-api.js';
import type { SidePage } from './side-page.js';

/** Ties the side panel's page to the extension, which it asks for jobs and commands, and shows its snapshots. */
export async function startSide(page: SidePage): Promise<void> {
  const ties = acquireWindow();
  const channel = new Channel<HostMethods, ViewMethods>(ties.port, {
    show: ({ snapshot }) => {
      page.show(snapshot);
      return Promise.resolve(null);
    },
    point: ({ line }) => {
      page.point(line);
      return Promise.resolve(null);
    },
  });
  const ask = (request: Promise<null>): void => {
    request.catch((error: unknown) => {
      page.trouble = t('The extension did not take the request: {0}', wordsOf(error));
    });
  };
  page.connect({
    start: (job) => ask(channel.call('start', { job })),
    command: (command) => ask(channel.call('command', { command })),
  });
  window.addEventListener('pagehide', () => channel.dispose());
  try {
    page.show(await channel.call('ready', null));
  } catch (error) {
    page.trouble = t('The extension did not answer: {0}. Close this panel and open it again.', wordsOf(error));
  }
}
