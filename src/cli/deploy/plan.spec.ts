import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Done, type Goal, nextStep, nothingDone, type Step } from './plan.ts';
import type { Revision, RollbackRecord, Rollout, ServiceState } from './port.ts';
import { chooseTarget, isSteady, rolloutUnderWay } from './target.ts';

const tags = ['a', 'b', 'c'];

function revision(tag: string): Revision {
  const number = tags.indexOf(tag) + 1;
  return {
    ...{ arn: `family:${number}`, family: 'family', revision: number, isActive: true, tag },
    ...{ repository: undefined, table: undefined, tableFault: undefined, settings: {} },
  };
}

/** ECS, and the two parameters, as a model: each look at it may move the rollout under way on. */
class Model {
  parameter: string | undefined = 'b';
  record: RollbackRecord | undefined;
  current = 'b';
  updates = 0;
  #rollout: { source: string; target: string; status: Rollout['status'] } | undefined;
  #count = 0;

  /** Begins a rollout, in place of one that is under way. */
  begin(target: string): void {
    if (this.#isUnderWay() ? this.#rollout?.target === target : this.current === target) return;
    this.#count += 1;
    this.#rollout = { source: this.current, target, status: 'IN_PROGRESS' };
  }

  stop(): void {
    if (this.#rollout?.status === 'IN_PROGRESS') this.#rollout.status = 'ROLLBACK_IN_PROGRESS';
  }

  advance(): void {
    if (this.#rollout?.status === 'IN_PROGRESS') {
      this.#rollout.status = 'SUCCESSFUL';
      this.current = this.#rollout.target;
    } else if (this.#rollout?.status === 'ROLLBACK_IN_PROGRESS') this.#rollout.status = 'ROLLBACK_SUCCESSFUL';
  }

  state(): ServiceState {
    const under = this.#rollout?.status === 'IN_PROGRESS' ? this.#rollout : undefined;
    return {
      ...{ primary: revision(under?.target ?? this.current), rolloutReason: undefined, desired: 2 },
      ...{ running: under === undefined ? 2 : 0, pending: 0, failed: 0, othersRunning: under ? 2 : 0 },
      rolloutState: this.#isUnderWay() ? 'IN_PROGRESS' : 'COMPLETED',
      rollouts:
        this.#rollout === undefined
          ? []
          : [
              {
                ...{ arn: `rollout-${this.#count}`, status: this.#rollout.status, reason: undefined },
                ...{ source: revision(this.#rollout.source), target: revision(this.#rollout.target) },
              },
            ],
    };
  }

  #isUnderWay(): boolean {
    return this.#rollout?.status === 'IN_PROGRESS' || this.#rollout?.status === 'ROLLBACK_IN_PROGRESS';
  }
}

/** One run of `holdfast deploy rollback`: it chooses its target at its first turn, then takes a step at each. */
class Run {
  isEnded = false;
  #goal: Goal | undefined;
  #done: Done = nothingDone;
  readonly #model: Model;

  constructor(model: Model) {
    this.#model = model;
  }

  turn(): void {
    if (this.isEnded) return;
    const { parameter, record } = this.#model;
    const state = this.#model.state();
    if (this.#goal === undefined) {
      const revisions = ['c', 'b', 'a'].map(revision);
      const choice = chooseTarget({ state, revisions, record, parameter }, undefined);
      if ('refused' in choice) {
        expect(choice.refused).toBe('rolledBack');
        this.isEnded = true;
        return;
      }
      const { to, from = '' } = choice;
      this.#goal = { to, record: { from, to, direction: 'back' } };
      return;
    }
    this.#take(nextStep(this.#goal, { state, parameter, record }, this.#done), this.#goal, state);
  }

  #take(step: Step, { to, record }: Goal, state: ServiceState): void {
    const written = { hasRecorded: true, hasWritten: true };
    switch (step.do) {
      case 'record':
        this.#model.record = record;
        this.#done = { ...this.#done, hasRecorded: true };
        return;
      case 'parameter':
        this.#model.parameter = to;
        this.#done = { ...this.#done, hasWritten: true };
        return;
      case 'stop':
        this.#model.stop();
        this.#done = {
          ...{ ...this.#done, ...written },
          stopped: new Set([...this.#done.stopped, step.rollout.arn]),
        };
        return;
      case 'update':
        this.#model.updates += 1;
        this.#model.begin(to);
        this.#done = {
          ...{ ...this.#done, ...written },
          update: { newestBefore: state.rollouts[0]?.arn, looks: 0 },
        };
        return;
      case 'wait':
        this.#done = { ...this.#done, ...written };
        return;
      case 'end':
        this.isEnded = true;
        return;
      case 'fail':
        throw new Error(step.sentence);
    }
  }
}

/** The turns of a play: of one of two runs, of ECS, or the kill of a run, which is begun again. */
const turns = fc.array(fc.constantFrom('first', 'second', 'ecs', 'killFirst', 'killSecond'), {
  maxLength: 40,
});

function play(model: Model, played: readonly string[]): void {
  let [first, second] = [new Run(model), new Run(model)];
  const finish = Array.from({ length: 30 }, () => ['first', 'ecs', 'second', 'ecs']).flat();
  for (const turn of [...played, ...finish]) {
    if (turn === 'first') first.turn();
    else if (turn === 'second') second.turn();
    else if (turn === 'ecs') model.advance();
    else if (turn === 'killFirst') first = new Run(model);
    else second = new Run(model);
  }
  expect([first.isEnded, second.isEnded]).toEqual([true, true]);
}

function expectRolledBack(model: Model, from: string, to: string): void {
  expect(model.current).toBe(to);
  expect(model.parameter).toBe(to);
  expect(model.record).toEqual({ from, to, direction: 'back' });
  expect(isSteady(model.state())).toBe(true);
  expect(rolloutUnderWay(model.state())).toBeUndefined();
}

it('two runs of a rollback, each killed at any steps and begun again, end in the same state', () => {
  fc.assert(
    fc.property(turns, (played) => {
      const model = new Model();
      play(model, played);
      expectRolledBack(model, 'b', 'a');
    }),
    { numRuns: 500 },
  );
});

it('two runs amid a rollout, each killed at any steps and begun again, end at its source, without an update', () => {
  fc.assert(
    fc.property(
      turns.filter((played) => !played.includes('ecs')),
      (played) => {
        const model = new Model();
        model.parameter = 'c';
        model.begin('c');
        play(model, ['first', 'first', 'first', 'first', ...played]);
        expectRolledBack(model, 'c', 'b');
        expect(model.updates).toBe(0);
      },
    ),
    { numRuns: 300 },
  );
});

it('a rollback goes back also from a rollout that succeeds before it is stopped', () => {
  fc.assert(
    fc.property(turns, (played) => {
      const model = new Model();
      model.parameter = 'c';
      model.begin('c');
      play(model, played);
      expectRolledBack(model, 'c', 'b');
    }),
    { numRuns: 300 },
  );
});
