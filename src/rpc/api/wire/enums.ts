/** The closed words of the core and their numbers on the wire. */

import type { CancelCause, HeartbeatAnswer, OutcomeKind } from '../../../core/messages.ts';
import type { Priority } from '../../../core/submission/submission.ts';
import { type DeadReason, deadReasons, eventKinds, type KnownKind } from '../../../core/task/event.ts';
import type { ShownState } from '../../../core/task/head.ts';
import type { HistoryFault } from '../../../ports/task-store.ts';
import { OnDead as WireOnDead } from '../../gen/holdfast/v1/admin_service_pb.ts';
import {
  type EventKind,
  TaskState,
  type DeadReason as WireDeadReason,
  Priority as WirePriority,
  WhenDead as WireWhenDead,
} from '../../gen/holdfast/v1/task_pb.ts';
import { HistoryFault as WireHistoryFault } from '../../gen/holdfast/v1/task_service_pb.ts';
import {
  FailReason,
  HeartbeatVerdict,
  CancelCause as WireCancelCause,
} from '../../gen/holdfast/v1/worker_service_pb.ts';

export const stateNumbers: Readonly<Record<ShownState, TaskState>> = {
  scheduled: TaskState.SCHEDULED,
  ready: TaskState.READY,
  running: TaskState.RUNNING,
  succeeded: TaskState.SUCCEEDED,
  dead: TaskState.DEAD,
  cancelled: TaskState.CANCELLED,
};

export function eventNumber(kind: KnownKind): EventKind {
  return eventKinds.indexOf(kind) as EventKind;
}

export function deadReasonNumber(reason: DeadReason | undefined): WireDeadReason {
  return deadReasons.indexOf(reason) as WireDeadReason;
}

export const priorityNumbers: Readonly<Record<Priority, WirePriority>> = {
  high: WirePriority.HIGH,
  normal: WirePriority.NORMAL,
  low: WirePriority.LOW,
};

export const whenDeadNumbers: Readonly<Record<'return' | 'retry', WireWhenDead>> = {
  return: WireWhenDead.RETURN,
  retry: WireWhenDead.RETRY,
};

export const onDeadNumbers: Readonly<Record<'release' | 'hold', WireOnDead>> = {
  release: WireOnDead.RELEASE,
  hold: WireOnDead.HOLD,
};

export const faultNumbers: Readonly<Record<HistoryFault['kind'], WireHistoryFault>> = {
  changed: WireHistoryFault.CHANGED,
  missing: WireHistoryFault.MISSING,
  uncounted: WireHistoryFault.UNCOUNTED,
};

export const causeNumbers: Readonly<Record<CancelCause, WireCancelCause>> = {
  cancelled: WireCancelCause.CANCELLED,
  deadline: WireCancelCause.DEADLINE,
  leaseLost: WireCancelCause.LEASE_LOST,
  timeout: WireCancelCause.TIMEOUT,
};

export const verdictNumbers: Readonly<Record<HeartbeatAnswer['verdict'], HeartbeatVerdict>> = {
  renewed: HeartbeatVerdict.RENEWED,
  cancel: HeartbeatVerdict.CANCEL,
  leaseLost: HeartbeatVerdict.LEASE_LOST,
  error: HeartbeatVerdict.ERROR,
};

export const failOutcomes: Readonly<Record<number, OutcomeKind>> = {
  [FailReason.RETRY]: 'failed',
  [FailReason.FATAL]: 'fatal',
  [FailReason.SNOOZE]: 'snoozed',
  [FailReason.RELEASED]: 'released',
  [FailReason.CANCELLED]: 'cancelled',
};

/**
 * The word of a number; undefined where it is 0. A number that this version does not know becomes a word that is
 * in no table (`7`), so that the validator names the field and refuses it.
 */
export function wordOf<W extends string>(
  numbers: Readonly<Record<W, number>>,
  number: number,
): W | undefined {
  if (number === 0) return undefined;
  for (const word in numbers) if (numbers[word] === number) return word;
  return String(number) as W;
}
