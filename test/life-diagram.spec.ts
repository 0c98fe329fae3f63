/** Compares the diagram of a task's life in ARCHITECTURE.md with the transitions that `decide` can make. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { noOptions } from '../src/core/codec/options.ts';
import { expiry, resolveOptions, submittedEvent } from '../src/core/submission/submission.ts';
import type { Command } from '../src/core/task/command.ts';
import { decide } from '../src/core/task/decide.ts';
import type { TaskEvent } from '../src/core/task/event.ts';
import { fold } from '../src/core/task/evolve.ts';
import { type Head, shownState } from '../src/core/task/head.ts';

const startMs = 1_764_000_000_000;
const deadlineMs = 3_600_000;

interface Case {
  readonly delayMs: number | undefined;
  readonly inLane: boolean;
  readonly onDead: 'release' | 'hold';
}

const cases: Case[] = [undefined, 60_000].flatMap((delayMs) => [
  { delayMs, inLane: false, onDead: 'release' },
  { delayMs, inLane: true, onDead: 'release' },
  { delayMs, inLane: true, onDead: 'hold' },
]);

function commandsFor(head: Head): Command[] {
  const fencingToken = head.fencingToken;
  const failure = {
    kind: 'settle',
    fencingToken,
    message: 'm',
    errorType: 'E',
    afterMs: undefined,
    random: 0.5,
  } as const;
  return [
    { kind: 'claim', worker: 'w', leaseMs: 30_000, leaseSecret: '', lowest: true, begins: true },
    { kind: 'expire' },
    { kind: 'lapse' },
    { kind: 'unassign', fencingToken, countsAsRelease: false },
    { kind: 'cancel', actor: 'a', message: '' },
    { kind: 'redrive', actor: 'a' },
    { kind: 'releaseLane', actor: 'a' },
    { kind: 'settle', fencingToken, outcome: 'succeeded', resultBytes: 0 },
    { ...failure, outcome: 'failed' },
    { ...failure, outcome: 'fatal' },
    { ...failure, outcome: 'cancelled' },
    { kind: 'settle', fencingToken, outcome: 'snoozed', afterMs: 1_000 },
    { kind: 'settle', fencingToken, outcome: 'released', countsAsRelease: true, begun: false },
    { kind: 'settle', fencingToken, outcome: 'lost', message: 'm' },
  ];
}

function pascal(kind: TaskEvent['kind']): string {
  return kind[0]?.toUpperCase() + kind.slice(1);
}

/** Returns the changes of a head that the background loops make without an event. */
function quietSteps(head: Head): { readonly head: Head; readonly label: string }[] {
  const steps: { readonly head: Head; readonly label: string }[] = [];
  if (head.waitUntilMs !== undefined)
    steps.push({ head: { ...head, waitUntilMs: undefined }, label: 'dispatched when due' });
  if (head.handOver) steps.push({ head: { ...head, handOver: false }, label: '' });
  return steps;
}

/** Returns every transition that can be reached from a submission with two attempts. */
function edges(): Set<string> {
  const found = new Set<string>();
  for (const one of cases) explore(one, found);
  return found;
}

function explore({ delayMs, inLane, onDead }: Case, found: Set<string>): void {
  const requested = { ...noOptions, delayMs, deadlineAtMs: startMs + deadlineMs, retry: { maxAttempts: 2 } };
  const options = resolveOptions(requested, startMs);
  const submitted = submittedEvent(options, startMs, inLane ? 'lane' : undefined);
  const first = fold([submitted]);
  found.add(`[*] --> ${shownState(first)}: Submitted`);
  const pending: { head: Head; nowMs: number; tip: readonly TaskEvent[] }[] = [
    { head: first, nowMs: startMs, tip: [] },
  ];
  const seen = new Set<string>();
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    const { head, nowMs, tip } = at;
    for (const step of quietSteps(head)) {
      if (step.label !== '') found.add(`${shownState(head)} --> ${shownState(step.head)}: ${step.label}`);
      visit({ head: step.head, nowMs, tip });
    }
    for (const laterMs of [1, 40_000, deadlineMs]) {
      for (const command of commandsFor(head)) {
        // An operator may change the queue's setting after the task's death.
        const setting = command.kind === 'releaseLane' ? 'release' : onDead;
        const expiresAtMs = expiry(options, startMs);
        const facts = { options, acceptedAtMs: startMs, expiresAtMs, onDead: setting, tip };
        const decision = decide(head, facts, command, nowMs + laterMs);
        if (!decision.ok || decision.events.length === 0) continue;
        const label = decision.events.map((event) => pascal(event.kind)).join(', ');
        found.add(`${shownState(head)} --> ${shownState(decision.head)}: ${label}`);
        visit({ head: decision.head, nowMs: nowMs + laterMs, tip: [...tip, ...decision.events] });
      }
    }
  }

  function visit(next: { head: Head; nowMs: number; tip: readonly TaskEvent[] }): void {
    const { state, attempt, cancelRequested, handOver, holdsLane, waitUntilMs, deadlineAtMs } = next.head;
    const late = next.nowMs >= startMs + deadlineMs;
    const redriven = next.tip.some((event) => event.kind === 'redriven');
    const key = [
      state,
      attempt,
      cancelRequested,
      handOver,
      holdsLane,
      waitUntilMs !== undefined,
      deadlineAtMs !== undefined,
      late,
      redriven,
    ];
    if (seen.has(key.join())) return;
    seen.add(key.join());
    pending.push(next);
  }
}

function drawn(): string[] {
  const text = readFileSync(new URL('../ARCHITECTURE.md', import.meta.url), 'utf8');
  const [, diagram = ''] = /```mermaid\nstateDiagram-v2\n([\s\S]*?)```/.exec(text) ?? [];
  return diagram
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.includes('-->') && !line.endsWith('[*]'));
}

describe('the diagram of a task’s life', () => {
  it('in ARCHITECTURE.md shows exactly the transitions that decide can make', () => {
    expect(drawn().sort()).toEqual([...edges()].sort());
  });
});
