/**
 * Judges a run of `npm run chaos` from its ledgers, which the submitters and workers wrote beside the store, and from the
 * tasks as the API shows them at the end. It calls no product code.
 */
import type { Plan } from './contract.ts';
import { type EventRecord, ends, historyFaults } from './history.ts';
import type { AcceptedSettlement, Acknowledgement, HandlerCall, Ledgers } from './ledger.ts';

/** A task as the API shows it at the end of the run. */
export interface TaskRecord {
  readonly id: string;
  readonly key: string;
  readonly plan: Plan;
  readonly inputHash: string;
  /** Undefined if the task has no result. */
  readonly resultHash: string | undefined;
  readonly state: string;
  readonly deadReason: string | undefined;
  readonly events: readonly EventRecord[];
}

export interface Evidence extends Ledgers {
  /** The acknowledged tasks that the API still finds. */
  readonly tasks: readonly TaskRecord[];
  /** The ids and keys of all tasks in the lists of the queues. */
  readonly listed: readonly { readonly id: string; readonly key: string }[];
}

export interface Fault {
  /** The task, or the key if it has several. */
  readonly id: string;
  readonly text: string;
}

export interface Judgement {
  /** Acknowledged tasks that do not exist, or whose end is not the work of a handler. */
  readonly lost: readonly Fault[];
  /** Keys with two tasks, tasks with two ends, and claims under which two handlers began. */
  readonly doubled: readonly Fault[];
  /** Inputs, results and histories that are not what was acknowledged. */
  readonly overwritten: readonly Fault[];
  /** Tasks of a lane that began before an earlier one had ended, and histories whose times run backwards. */
  readonly outOfOrder: readonly Fault[];
  /** Tasks that had not ended when the time to drain was over. */
  readonly stuck: readonly Fault[];
  /** Legal repetitions, which at-least-once delivery allows. */
  readonly repeats: Repeats;
}

export interface Repeats {
  /** Handlers that began after the first handler of their task, without a failure or a snooze in between. */
  readonly afterLostLease: number;
  /** Handlers that began, or ended well, although a later claim's handler had already begun. */
  readonly late: number;
}

const claimOf = ({ id, fencingToken }: { readonly id: string; readonly fencingToken: number }): string =>
  `${id} ${fencingToken}`;

/** Returns the claim under which a task ended, or undefined if it has not, or ended while nobody held it. */
function lastClaim({ id, events }: TaskRecord): string | undefined {
  const end = events.findLast(({ kind }) => ends.includes(kind));
  return end === undefined || end.fencingToken === 0 ? undefined : claimOf({ ...end, id });
}

class Judge {
  readonly #evidence: Evidence;
  readonly #tasks: ReadonlyMap<string, TaskRecord>;
  readonly #calls: ReadonlyMap<string, HandlerCall>;
  readonly lost: Fault[] = [];
  readonly doubled: Fault[] = [];
  readonly overwritten: Fault[] = [];
  readonly outOfOrder: Fault[] = [];
  readonly stuck: Fault[] = [];

  constructor(evidence: Evidence) {
    this.#evidence = evidence;
    this.#tasks = new Map(evidence.tasks.map((task) => [task.id, task]));
    this.#calls = new Map(evidence.calls.map((call) => [claimOf(call), call]));
  }

  judge(): Judgement {
    const { acknowledged, tasks, settlements, calls } = this.#evidence;
    for (const one of new Map(acknowledged.map((one) => [one.id, one])).values()) this.#existence(one);
    for (const one of acknowledged) this.#acknowledgement(one);
    for (const task of tasks) this.#end(task);
    for (const task of tasks) this.#history(task);
    for (const call of calls) this.#call(call);
    for (const settlement of settlements) this.#settlement(settlement);
    this.#keys();
    this.#beginsOfClaims();
    this.#lanes();
    const { lost, doubled, overwritten, outOfOrder, stuck } = this;
    return { lost, doubled, overwritten, outOfOrder, stuck, repeats: this.#repeats() };
  }

  #existence({ id, key }: Acknowledgement): void {
    if (!this.#tasks.has(id)) this.lost.push({ id, text: `was acknowledged for ${key} and does not exist` });
  }

  #acknowledgement({ id, key, inputHash }: Acknowledgement): void {
    const task = this.#tasks.get(id);
    if (task === undefined) return;
    if (task.key !== key)
      this.overwritten.push({ id, text: `has the key ${task.key}, acknowledged: ${key}` });
    if (task.inputHash !== inputHash)
      this.overwritten.push({ id, text: `has another input than the acknowledged one of ${key}` });
  }

  #end(task: TaskRecord): void {
    const { id, plan, state, deadReason } = task;
    const claim = lastClaim(task);
    const call = claim === undefined ? undefined : this.#calls.get(claim);
    const lost = (text: string): void => void this.lost.push({ id, text });
    if (state === 'succeeded') {
      if (call?.end?.how !== 'well') lost('succeeded without a handler that ended well under its last claim');
      else if (call.end.resultHash !== task.resultHash)
        this.overwritten.push({ id, text: 'has another result than its handler returned' });
      if (plan === 'fatal') lost('succeeded, and its handler fails');
    } else if (state === 'dead') {
      if (plan !== 'fatal' || deadReason !== 'fatal') lost(`is dead: ${deadReason}`);
      else if (call?.end?.how !== 'fatal') lost('is dead without a handler that ended it');
    } else if (state === 'cancelled') lost('is cancelled, and nobody cancelled it');
    else this.stuck.push({ id, text: `is ${state}` });
  }

  #history({ id, events }: TaskRecord): void {
    const { illegal, secondEnds, backward } = historyFaults(events);
    for (const text of illegal) this.overwritten.push({ id, text });
    for (const text of secondEnds) this.doubled.push({ id, text });
    for (const text of backward) this.outOfOrder.push({ id, text });
  }

  #call(call: HandlerCall): void {
    const { id, key, fencingToken, inputHash, process } = call;
    const task = this.#tasks.get(id);
    if (task === undefined) return;
    const wrong = (text: string): void => void this.overwritten.push({ id, text });
    if (key !== task.key) wrong(`was given to ${process} with the key ${key}, and has ${task.key}`);
    if (inputHash !== task.inputHash) wrong(`was given to ${process} with another input`);
    const isKnown = task.events.some(
      (event) => event.kind === 'claimed' && event.fencingToken === fencingToken,
    );
    if (!isKnown) wrong(`began in ${process} under ${fencingToken}, a claim that is not in its history`);
  }

  /** A settlement that was accepted is in the history. */
  #settlement({ id, fencingToken, how, process }: AcceptedSettlement): void {
    const task = this.#tasks.get(id);
    if (task === undefined) return;
    const kinds = { well: 'succeeded', fatal: 'died', failed: 'failed', snoozed: 'snoozed' } as const;
    const kind = how === 'aborted' ? 'claimReleased' : kinds[how];
    const isKnown = task.events.some((event) => event.kind === kind && event.fencingToken === fencingToken);
    if (isKnown) return;
    const text = `was settled by ${process} under ${fencingToken} (${how}), which is not in its history`;
    (ends.includes(kind) && lastClaim(task) !== undefined ? this.doubled : this.overwritten).push({
      id,
      text,
    });
  }

  #keys(): void {
    const { acknowledged, calls, listed } = this.#evidence;
    const ids = new Map<string, Set<string>>();
    for (const { id, key } of [...acknowledged, ...calls, ...listed]) {
      const own = ids.get(key);
      if (own === undefined) ids.set(key, new Set([id]));
      else own.add(id);
    }
    for (const [key, own] of ids)
      if (own.size > 1) this.doubled.push({ id: key, text: `is the key of ${[...own].join(' and ')}` });
  }

  #beginsOfClaims(): void {
    for (const [claim, calls] of Map.groupBy(this.#evidence.calls, claimOf)) {
      if (calls.length < 2) continue;
      const processes = calls.map(({ process }) => process).join(' and ');
      this.doubled.push({ id: calls[0]?.id ?? '', text: `began twice under ${claim}, in ${processes}` });
    }
  }

  /**
   * Tasks of a lane are submitted one after the other, so each may begin only after the end of the handler that ended the
   * task before it. Handlers whose claim was lost may begin later: their fencing tokens protect their effects.
   */
  #lanes(): void {
    const inLanes = this.#evidence.acknowledged.filter(({ lane }) => lane !== '');
    const callsOf = Map.groupBy(this.#evidence.calls, ({ id }) => id);
    for (const [lane, acknowledged] of Map.groupBy(inLanes, (one) => one.lane)) {
      const tasks = new Map(acknowledged.map(({ id, seq }) => [id, seq]));
      let before: { readonly seq: number; readonly untilMs: number } | undefined;
      for (const [id, seq] of [...tasks].sort((a, b) => a[1] - b[1])) {
        const beganAtMs = Math.min(...(callsOf.get(id) ?? []).map((call) => call.beganAtMs));
        if (before !== undefined && beganAtMs < before.untilMs) {
          const earlyMs = Math.round(before.untilMs - beganAtMs);
          const text = `is ${seq} of ${lane} and began ${earlyMs} ms before the end of ${before.seq}`;
          this.outOfOrder.push({ id, text });
        }
        const task = this.#tasks.get(id);
        const claim = task === undefined ? undefined : lastClaim(task);
        const untilMs = claim === undefined ? undefined : this.#calls.get(claim)?.end?.atMs;
        // A task that has not ended must hold back all later ones.
        before = { seq, untilMs: Math.max(before?.untilMs ?? 0, untilMs ?? Number.POSITIVE_INFINITY) };
      }
    }
  }

  #repeats(): Repeats {
    let afterLostLease = 0;
    let late = 0;
    for (const calls of Map.groupBy(this.#evidence.calls, ({ id }) => id).values()) {
      const inTime = calls.toSorted((a, b) => a.beganAtMs - b.beganAtMs);
      const settled = inTime.filter(({ end }) => end?.how === 'failed' || end?.how === 'snoozed').length;
      afterLostLease += Math.max(0, calls.length - 1 - settled);
      late += inTime.filter(({ fencingToken, beganAtMs, end }) => {
        const atMs = end?.how === 'well' ? end.atMs : beganAtMs;
        return calls.some((other) => other.fencingToken > fencingToken && other.beganAtMs < atMs);
      }).length;
    }
    return { afterLostLease, late };
  }
}

export function judge(evidence: Evidence): Judgement {
  return new Judge(evidence).judge();
}
