import type { TemplateResult } from 'lit';
import { cellStates } from '../../core/analysis/coverage.js';
import { pictureKey, type KeyPatch } from '../picture/key-patch.js';
import { t } from '../strings.js';
import type { ScheduleModel } from './schedule-model.js';

const bracket = 'M1.5,4V8.5H16.5V4';

/** The key of the schedule's pictures: only what occurs in them. */
export function scheduleKey(model: ScheduleModel): TemplateResult {
  return pictureKey(t('Key'), [...tileKeys(), ...pairKeys(model)]);
}

function tileKeys(): readonly KeyPatch[] {
  return [
    { name: t('read'), fill: 'key-read', texture: null, outline: null },
    { name: t('written'), fill: 'key-write', texture: 'hatch', outline: 'key-frame' },
    { name: t('in workgroup memory'), fill: 'key-ground', texture: null, outline: 'key-frame' },
  ];
}

function pairKeys({ schedule, progress, report, splits }: ScheduleModel): readonly KeyPatch[] {
  if (!schedule.score) return [];
  const steps = schedule.workgroups.flatMap((workgroup) => workgroup.steps);
  const by = (kind: 'score' | 'state'): boolean => steps.some((step) => step.scores.some((tile) => tile.by === kind));
  const seen = new Set(progress?.coverage ?? []);
  const totals = report.coverage?.totals;
  const entries: readonly (readonly [boolean, KeyPatch])[] = [
    [by('score'), { name: t('left product'), fill: 'key-score', texture: null, outline: null }],
    [
      by('state'),
      {
        name: t('through the state'),
        fill: 'key-state',
        texture: 'rows',
        textureClass: 'key-strokes-state',
        outline: null,
      },
    ],
    [
      steps.some((step) => step.states.length > 0),
      { name: t('keys in the state'), fill: 'key-state-bar', texture: null, outline: null },
    ],
    [
      schedule.tensors.some(({ pageRows }) => pageRows !== null),
      { name: t('page, each in a colour of its own'), fill: 'key-page', texture: null, outline: null },
    ],
    [splits.length > 0, { name: t('keys of a workgroup'), fill: null, texture: null, path: bracket, outline: null }],
    [
      seen.has(cellStates.wasted) || (totals?.wasted ?? 0) > 0,
      { name: t('masked, but computed'), fill: 'key-wasted', texture: 'hatch', outline: null },
    ],
    [
      (totals?.doubled ?? 0) > 0,
      { name: t('more than once'), fill: 'key-score', texture: null, outline: 'key-frame-caution' },
    ],
    [
      (totals?.missed ?? 0) > 0,
      {
        name: t('never'),
        fill: 'key-missed',
        texture: 'cross',
        textureClass: 'key-strokes-wrong',
        outline: null,
      },
    ],
    [
      seen.has(cellStates.untraced),
      { name: t('not traced'), fill: 'key-ground', texture: 'dots', textureClass: 'key-strokes-line', outline: null },
    ],
  ];
  return entries.filter(([occurs]) => occurs).map(([, patch]) => patch);
}
