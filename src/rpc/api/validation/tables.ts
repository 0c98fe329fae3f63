/** The validation rules for the fields of messages, one table per message. */
import { decodePayload } from '../../../core/codec/payload.ts';
import { readSpec, type Spec } from '../../../core/codec/spec.ts';
import { asHoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import { Memo } from '../../../core/memo.ts';
import type {
  HandledTypeMessage,
  HeartbeatItem,
  ReportRequest,
  Settlement,
  SubmitItem,
  TypeCredit,
  WorkRequest,
} from '../../../core/messages.ts';
import { blob, count, duration, name, oneOf, text, whole } from '../../../core/rules.ts';
import {
  aheadProblem,
  optionRules,
  retryRules,
  tag,
  tagCount,
  typeVersion,
} from '../../../core/submission/field-rules.ts';
import { isRepeatable, type OptionsRequest, type RetryPolicy } from '../../../core/submission/submission.ts';
import { payloadOf } from './payload-rule.ts';
import {
  type Check,
  type EveryField,
  type Findings,
  field,
  list,
  message,
  optional,
  optionalFields,
  path,
} from './validate.ts';

const uint32 = 4_294_967_295;

export const tenant = field(name('optional'));
export const queue = field(name());
export const taskId = field(text(limits.keyChars, 'required'));
export const tags = list(tagCount, field(tag));

/**
 * Returns a check for a bytes field that contains an encoded message: it decodes the message, then checks its fields.
 * Bytes that cannot be decoded are a violation. The check returns the decoded message.
 */
function packed<M>(read: (bytes: Uint8Array) => M, check: Check<M>) {
  return (bytes: Uint8Array, parent: string, at: string, findings: Findings): M | undefined => {
    let value: M;
    try {
      value = read(bytes);
    } catch (thrown) {
      findings.add(parent, at, asHoldfastError(thrown).message);
      return undefined;
    }
    check(value, parent, at, findings);
    return value;
  };
}

const spec = message<Spec>({
  type: field(name()),
  typeVersion: field(typeVersion),
  orderingKey: optional(field(text(limits.keyChars))),
  payload: payloadOf(limits.payloadBytes),
});

function runTime(options: OptionsRequest, at: string, findings: Findings): void {
  const { runAtMs, delayMs } = options;
  if (runAtMs === undefined) return;
  if (delayMs !== undefined) findings.add(at, 'delayMs', 'is given together with runAtMs; give one of them');
  const problem = aheadProblem(runAtMs, findings.nowMs);
  if (problem !== undefined) findings.add(at, 'runAtMs', problem);
}

export const options = message<OptionsRequest>(
  {
    ...optionalFields(optionRules),
    // 0 over the wire means the default. An embedded client must not get another meaning for it.
    retentionMs: optional(field(duration(1, limits.retentionMaxMs))),
    delayMs: optional(field(duration(0, limits.runAheadMs))),
    retry: optional(message<Partial<RetryPolicy>>(optionalFields<RetryPolicy>(retryRules))),
    tags,
  } satisfies EveryField<OptionsRequest>,
  runTime,
);

/** The options that were found valid: equal ones are one object, as the codec decodes them. */
const validOptions = new Memo<OptionsRequest, true>(limits.rememberedOptions);

/** Checks a submission. Returns its decoded spec, or undefined if it cannot be decoded. */
export function submitItem(
  item: SubmitItem,
  parent: string,
  at: string,
  findings: Findings,
): Spec | undefined {
  const here = at === '' ? parent : path(parent, at);
  key(item.key, here, 'idempotencyKey', findings);
  const decoded = packedSpec(item.spec, here, 'spec', findings);
  if (!validOptions.get(item.options)) {
    options(item.options, here, 'options', findings);
    if (findings.isEmpty && isRepeatable(item.options)) validOptions.set(item.options, true);
  }
  return decoded;
}
const key = field(text(limits.keyChars));
const packedSpec = packed(readSpec, spec);

export const batchCount = count(1, limits.batchItems, 'items');
export const lease = field(blob(limits.leaseBytes));
const result = packed(decodePayload, payloadOf(limits.resultBytes));

function wait({ outcome, afterMs }: Settlement, at: string, findings: Findings): void {
  const check = outcome === 'snoozed' ? snooze : backoff;
  if (afterMs !== undefined) check(afterMs, at, 'afterMs', findings);
  else if (outcome === 'snoozed') findings.add(at, 'afterMs', 'is missing; a snooze needs a duration');
}
const snooze = field(duration(1, limits.runAheadMs));
const backoff = field(duration(0, limits.backoffMaxMs));

/**
 * The validation rules of a settlement. `message` and `errorType` have no rule: a long text is shortened later, because
 * a settlement must not be refused for the length of its texts.
 */
export const settlement = message<Settlement>(
  {
    lease,
    outcome: field(oneOf(['succeeded', 'failed', 'fatal', 'snoozed', 'released', 'cancelled', 'lost'])),
    result: optional(result),
  },
  wait,
);

/** The validation rules of a heartbeat. An invalid progress is corrected later: a heartbeat must renew its lease. */
export const heartbeatItem = message<HeartbeatItem>({ lease });

const taskCredits = field(whole(0, limits.inFlightTasks, 'tasks'));

export const worker = {
  tenant,
  workerName: field(text(limits.keyChars, 'required')),
  workerId: field(text(limits.nameChars, 'required')),
  queues: list(count(1, limits.workerQueues, 'queues'), queue),
  types: list(
    count(1, limits.workerTypes, 'types'),
    message<HandledTypeMessage>({
      type: field(name()),
      maxVersion: field(whole(0, uint32)),
      tasks: optional(taskCredits),
    }),
  ),
} as const;

const credits = {
  tasks: taskCredits,
  bytes: field(whole(0, uint32, 'bytes')),
} as const;

type Hello = Extract<WorkRequest, { kind: 'hello' }>;
type Credit = Extract<WorkRequest, { kind: 'credit' }>;
export const hello = message<Hello>({ ...worker, ...credits });
export const credit = message<Credit>({
  ...credits,
  types: list(
    count(0, limits.workerTypes, 'types'),
    message<TypeCredit>({ type: field(name()), tasks: taskCredits }),
  ),
});

type ReportHello = Extract<ReportRequest, { kind: 'hello' }>;
export const reportHello = message<ReportHello>({
  tenant,
  sessionId: field(text(limits.nameChars)),
  workerId: worker.workerId,
  hellos: optional(field(whole(0, uint32))),
});
