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
        find: 'results[one.index] = { error: itemError(rejectionError(one.lease.id, decision.rejection)) };',
        replace: `context.background('delivery', context.broker.delete([one.lease.receiptHandle]));
          results[one.index] = { error: itemError(rejectionError(one.lease.id, decision.rejection)) };`,
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
    name: 'hand-over-clears-due-first',
    file: handOver,
    edits: [
      {
        find: `  if (lane !== undefined) {
    await context.store.leaveLane(lane, snapshot.id, snapshot.laneSeq);
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
    await context.store.leaveLane(lane, snapshot.id, snapshot.laneSeq);
    await dispatchLowest(context, lane, 'handOver');
  }`,
      },
    ],
  },
];
