/** Maps the core's enumerations to their protobuf numbers, except for the enumerations in core/wire-numbers.ts. */

import type { CancelCause, HeartbeatAnswer, OutcomeKind } from '../../../core/messages.ts';
import { type DeadReason, deadReasons, eventKinds, type KnownKind } from '../../../core/task/event.ts';
import type { HistoryFault } from '../../../ports/task-store.ts';
import { OnDead as WireOnDead } from '../../gen/holdfast/v1/admin_service_pb.ts';
import type { EventKind, DeadReason as WireDeadReason } from '../../gen/holdfast/v1/task_pb.ts';
import { HistoryFault as WireHistoryFault } from '../../gen/holdfast/v1/task_service_pb.ts';
import {
  FailReason,
  HeartbeatVerdict,
  CancelCause as WireCancelCause,
} from '../../gen/holdfast/v1/worker_service_pb.ts';

export function eventNumber(kind: KnownKind): EventKind {
  return eventKinds.indexOf(kind) as EventKind;
}

export function deadReasonNumber(reason: DeadReason | undefined): WireDeadReason {
  return deadReasons.indexOf(reason) as WireDeadReason;
}

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
  paused: WireCancelCause.PAUSED,
  rebalance: WireCancelCause.REBALANCE,
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
  [FailReason.LOST]: 'lost',
};

/**
 * Returns the word (such as `high`) for a protobuf enum number, or undefined for 0. An unknown number becomes a word
 * that is in no table (such as `7`), which the validator refuses with the name of the field.
 */
export function wordOf<W extends string>(
  numbers: Readonly<Record<W, number>>,
  number: number,
): W | undefined {
  if (number === 0) return undefined;
  for (const word in numbers) if (numbers[word] === number) return word;
  return String(number) as W;
}
