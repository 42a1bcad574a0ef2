import { Channel } from '../lab/channel.js';
import type { HostMethods, PageMethods } from '../lab/panel.js';
import type { Actions } from './actions.js';
import { StripPlot } from './benchmark/strip-plot.js';
import { CaseTable } from './compare/case-table.js';
import { MapFigure } from './compare/map-figure.js';
import { WorstTable } from './compare/worst-table.js';
import { createPageLab, observed } from './gpu-host.js';
import { LabPage } from './lab-page.js';
import { GrowthChart } from './layers/growth-chart.js';
import { IntensityChart } from './layers/intensity-chart.js';
import { KvShards } from './layers/kv-shards.js';
import { LayerBars } from './layers/layer-bars.js';
import { startLayers } from './layers/layers-connection.js';
import { LayersPage } from './layers/layers-page.js';
import { readPageState } from './page-state.js';
import { ChartFigure } from './picture/chart-figure.js';
import { ErrorHistogramPicture } from './picture/error-histogram.js';
import { HeatMap } from './picture/heat-map.js';
import { PlanePicker } from './picture/plane-picker.js';
import { RowCurves } from './picture/row-curves.js';
import { TileSchedule } from './schedule/tile-schedule.js';
import { TileStage } from './schedule/tile-stage.js';
import { TileTimeline } from './schedule/tile-timeline.js';
import { ShapeBar } from './shell/shape-bar.js';
import { createWorkerSimulator, simulatorScriptUrl } from './simulator-host.js';
import { startSide } from './side/side-connection.js';
import { SidePage } from './side/side-page.js';
import { SmallScore } from './side/small-score.js';
import { t } from './strings.js';
import { registerControls } from './toolkit.js';
import { ReadFigure } from './traffic/read-figure.js';
import { ReadMap } from './traffic/read-map.js';
import { ScalingChart } from './traffic/scaling-chart.js';
import { TrafficFlow } from './traffic/traffic-flow.js';
import { TrafficTable } from './traffic/traffic-table.js';
import { wordsOf } from './trouble.js';
import { acquireWindow } from './vscode-api.js';

const elements: Readonly<Record<string, CustomElementConstructor>> = {
  'tilescope-cases': CaseTable,
  'tilescope-chart-figure': ChartFigure,
  'tilescope-curves': RowCurves,
  'tilescope-heat-map': HeatMap,
  'tilescope-histogram': ErrorHistogramPicture,
  'tilescope-map-figure': MapFigure,
  'tilescope-planes': PlanePicker,
  'tilescope-shape-bar': ShapeBar,
  'tilescope-flow': TrafficFlow,
  'tilescope-read-figure': ReadFigure,
  'tilescope-read-map': ReadMap,
  'tilescope-scaling': ScalingChart,
  'tilescope-side': SidePage,
  'tilescope-small-score': SmallScore,
  'tilescope-strip': StripPlot,
  'tilescope-tile-schedule': TileSchedule,
  'tilescope-tile-stage': TileStage,
  'tilescope-tile-timeline': TileTimeline,
  'tilescope-traffic-table': TrafficTable,
  'tilescope-worst': WorstTable,
  'tilescope-growth': GrowthChart,
  'tilescope-layer-bars': LayerBars,
  'tilescope-kv-intensity': IntensityChart,
  'tilescope-kv-shards': KvShards,
  'tilescope-lab': LabPage,
  'tilescope-layers': LayersPage,
};

/** Known only while this script is run for the first time. */
const simulatorUrl = simulatorScriptUrl();

function connect(page: LabPage): Channel<HostMethods, PageMethods> {
  const ties = acquireWindow();
  const lab = createPageLab(createWorkerSimulator(simulatorUrl));
  const channel = new Channel<HostMethods, PageMethods>(ties.port, {
    ...observed(lab, (progress) => (page.progress = progress)),
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
  const actions: Actions = {
    start: (job) => ask(channel.call('start', { job })),
    cancel: () => ask(channel.call('cancel', null)),
    setOverride: (override) => ask(channel.call('setOverride', { override })),
    setTab: (tab) => ask(channel.call('setTab', { tab })),
    reveal: (start, end) => ask(channel.call('reveal', { start, end })),
    traceWorkgroup: (pass, workgroup) => ask(channel.call('traceWorkgroup', { pass, workgroup })),
    command: (command) => ask(channel.call('command', { command })),
    saveText: (suggestedName, text) => ask(channel.call('save', { suggestedName, text, base64: null })),
    savePng: (suggestedName, base64) => {
      ask(base64.then((bytes) => channel.call('save', { suggestedName, text: null, base64: bytes })));
    },
    look: () => undefined,
  };
  page.connect(actions, readPageState(ties.loadState()), ties.saveState);
  window.addEventListener('pagehide', () => {
    channel.dispose();
    lab.dispose();
  });
  return channel;
}

async function start(page: LabPage): Promise<void> {
  const channel = connect(page);
  try {
    page.show(await channel.call('ready', null));
  } catch (error) {
    page.trouble = t('The extension did not answer: {0}. Close this panel and open it again.', wordsOf(error));
  }
}

registerControls();
for (const [name, element] of Object.entries(elements)) customElements.define(name, element);
const page = document.querySelector('tilescope-lab, tilescope-side, tilescope-layers');
if (page instanceof LabPage) void start(page);
if (page instanceof SidePage) void startSide(page);
if (page instanceof LayersPage) void startLayers(page);
