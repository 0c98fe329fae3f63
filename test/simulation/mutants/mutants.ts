/** A version of Holdfast in which one rule is broken on purpose. The invariants of the simulation must detect each mutant. */
export interface Mutant {
  readonly name: string;
  /** The path of the changed file from the root of the repository. */
  readonly file: string;
  /**
   * The invariants that check exactly the condition that the mutant removes. They are switched off for this mutant, so
   * that other invariants must detect the mutant by its consequences.
   */
  readonly restatedBy?: readonly string[];
  readonly edits: readonly { readonly find: string; readonly replace: string }[];
}

const store = 'src/engines/memory/task-store.ts';
const externalBroker = 'src/testing/external-broker.ts';
const claimDeliveries = 'src/service/claim/claim-deliveries.ts';
const settle = 'src/service/settle/settle.ts';
const handOver = 'src/service/hand-over.ts';
const expiry = 'src/core/task/expiry.ts';
const evolve = 'src/core/task/evolve.ts';
const assignedTasks = 'src/client/worker/assigned-tasks.ts';
const session = 'src/service/session/session.ts';
const releaseReserved = 'src/service/reserved/release-reserved.ts';
const condition = 'if (!(parts.faults.condition?.(change, holds) ?? holds))';

export const mutants: readonly Mutant[] = [
  {
    name: 'no-fencing-condition',
    file: store,
    restatedBy: ['validTokenOrRevision', 'foldEqualsHead'],
    edits: [
      {
        find: condition,
        replace: `if (!(holds || (change.kind === 'transition' && 'fencingToken' in change.expect)))`,
      },
    ],
  },
  {
    name: 'expiry-conditional-on-the-fencing-token-only',
    file: claimDeliveries,
    edits: [
      {
        find: 'change: transition(one.snapshot, decision.events, decision.head) };',
        replace: `change: { ...transition(one.snapshot, decision.events, decision.head),
          expect: one.snapshot.head.state === 'running'
            ? { fencingToken: one.snapshot.head.fencingToken, version: one.snapshot.head.version }
            : { revision: one.snapshot.head.revision } } };`,
      },
    ],
  },
  {
    name: 'acknowledged-before-the-send',
    file: 'src/service/submit/submit.ts',
    edits: [
      {
        find: 'await dispatchOne(one.snapshot);',
        replace: `context.background('send', dispatchOne(one.snapshot));`,
      },
    ],
  },
  {
    name: 'message-deleted-before-the-settlement',
    file: settle,
    restatedBy: ['runningTaskKeepsItsMessage'],
    edits: [
      {
        find: 'const outcomes = await context.store.append(round.changes);',
        replace: `await context.broker.delete(round.settlements.map((one) => one.lease.receiptHandle));
          const outcomes = await context.store.append(round.changes);`,
      },
    ],
  },
  {
    name: 'message-deleted-after-a-refused-settlement',
    file: settle,
    edits: [
      {
        find: 'results[one.index] = refused(context, one, rejectionError(one.lease.id, decision.rejection));',
        replace: `context.background('delivery', context.broker.delete([one.lease.receiptHandle]));
          results[one.index] = refused(context, one, rejectionError(one.lease.id, decision.rejection));`,
      },
    ],
  },
  {
    name: 'stale-receipt-handle-accepted',
    file: externalBroker,
    edits: [
      {
        find: 'return (this.#faults.handle?.(current) ?? current) ? queued : undefined;',
        replace: 'return current ? queued : queued;',
      },
    ],
  },
  {
    name: 'message-id-without-its-reason',
    file: externalBroker,
    edits: [{ find: `/\${message.reason}/\${slot}`, replace: `/\${slot}` }],
  },
  {
    name: 'sweep-clears-before-it-sends',
    file: handOver,
    edits: [
      {
        find: 'if (await isLowest(context, snapshot)) await dispatch(context, snapshot, snapshot.head.version, reason);',
        replace: '',
      },
      {
        find: "return outcome?.kind === 'done';",
        replace: `if (await isLowest(context, snapshot)) await dispatch(context, snapshot, snapshot.head.version, reason);
          return outcome?.kind === 'done';`,
      },
    ],
  },
  {
    name: 'clear-without-its-revision',
    file: store,
    restatedBy: ['validTokenOrRevision', 'foldEqualsHead'],
    edits: [
      {
        find: condition,
        replace: `const clears =
            change.kind === 'transition' && change.events.length === 0 && change.head.state === 'waiting';
          if (!holds && !clears)`,
      },
    ],
  },
  {
    name: 'lane-claim-without-the-lowest-check',
    file: claimDeliveries,
    edits: [
      {
        find: 'const lowest = one.snapshot.head.inLane ? await isLowest(context, one.snapshot) : true;',
        replace: 'const lowest = one !== undefined || (await isLowest(context, one));',
      },
    ],
  },
  {
    name: 'lane-start-rests-on-a-torn-query',
    file: handOver,
    edits: [
      {
        find: 'return snapshot.laneSeq !== undefined && (await context.store.isFirst(lane, snapshot.laneSeq));',
        replace: 'return (await context.store.lowest(lane))?.id === snapshot.id;',
      },
    ],
  },
  {
    name: 'hand-over-clears-due-first',
    file: handOver,
    edits: [
      {
        find: `  if (lane !== undefined) {
    await context.store.leaveLane(lane, snapshot.id, snapshot.laneSeq, hasRun(snapshot.head));
    await dispatchLowest(context, lane, 'handOver');
  }`,
        replace: '',
      },
      {
        find: `head: { ...snapshot.head, handOver: false },
      result: undefined,
      rejoinLane: false,
    },
  ]);`,
        replace: `head: { ...snapshot.head, handOver: false },
      result: undefined,
      rejoinLane: false,
    },
  ]);
  if (lane !== undefined) {
    await context.store.leaveLane(lane, snapshot.id, snapshot.laneSeq, hasRun(snapshot.head));
    await dispatchLowest(context, lane, 'handOver');
  }`,
      },
    ],
  },
  {
    name: 'expiry-uses-the-attempt',
    file: evolve,
    edits: [
      {
        find: '...waiting(head, version, event.retryAtMs), attempt: head.attempt - 1, losses }',
        replace: '...waiting(head, version, event.retryAtMs), losses }',
      },
    ],
  },
  {
    name: 'release-uses-the-attempt',
    file: evolve,
    edits: [
      {
        find: '...waiting(head, version, event.retryAtMs), attempt: head.attempt - 1, releases }',
        replace: '...waiting(head, version, event.retryAtMs), releases }',
      },
    ],
  },
  {
    name: 'loss-of-a-task-that-has-not-begun',
    file: expiry,
    edits: [
      { find: "const countsAsLoss = begun !== 'no' &&", replace: "const countsAsLoss = begun !== '' &&" },
    ],
  },
  {
    name: 'heartbeat-does-not-store-the-begin',
    file: 'src/core/task/renew.ts',
    edits: [{ find: 'head.begun || heartbeat.begun', replace: 'head.begun' }],
  },
  {
    name: 'handler-called-before-its-record',
    file: 'src/client/worker/attempts.ts',
    edits: [
      {
        find: 'if (!recordsFirst) void this.#run(attempt);',
        replace: 'attempt.awaitsRecord = false;\n    void this.#run(attempt);',
      },
    ],
  },
  {
    name: 'worker-ignores-a-recall',
    file: assignedTasks,
    edits: [
      {
        find: 'if (beginning === undefined) return slots.take(id, fencingToken);',
        replace: 'if (beginning === undefined) return undefined;',
      },
    ],
  },
  {
    name: 'begins-after-the-deadline',
    file: 'src/client/worker/buffered-assignment.ts',
    edits: [{ find: '(deadlineInMs === 0 ? keptMs :', replace: '(deadlineInMs >= 0 ? keptMs :' }],
  },
  {
    name: 'pause-recalls-nothing',
    file: session,
    edits: [{ find: '      this.#recallPaused();', replace: '' }],
  },
  {
    name: 'cut-releases-nothing',
    file: releaseReserved,
    edits: [{ find: 'if (leases.length === 0) return;', replace: 'if (leases.length >= 0) return;' }],
  },
  {
    name: 'cut-releases-what-has-begun',
    file: 'src/core/task/decide.ts',
    edits: [{ find: "if (head.begun) return rejected({ why: 'begun' });", replace: '' }],
  },
  {
    name: 'no-grace-after-a-gap',
    file: 'src/service/claim/lease-grace.ts',
    edits: [
      { find: 'return leftMs > 0 ? Math.ceil(nowMs + leftMs) : undefined;', replace: 'return undefined;' },
    ],
  },
  {
    name: 'reserved-is-shown-as-running',
    file: 'src/core/task/head.ts',
    edits: [
      {
        find: "head.state === 'running' && !head.begun ? 'reserved'",
        replace: "head.version < 0 ? 'reserved'",
      },
    ],
  },
  {
    name: 'doubled-message-is-kept',
    file: claimDeliveries,
    edits: [
      { find: 'const deliveries = onePerTask(context, received);', replace: 'const deliveries = received;' },
    ],
  },
  {
    name: 'verdict-leaves-the-lane-out',
    file: 'src/service/explain/facts.ts',
    edits: [
      {
        find: 'waits ? await this.#laneFrontOf(snapshot) : undefined;',
        replace: 'undefined;',
      },
    ],
  },
];
