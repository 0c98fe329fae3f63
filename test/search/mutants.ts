import { type Mutant, mutants as simulated } from '../simulation/mutants/mutants.ts';

/** What is too rare for the simulation to be relied on, and everything that it is tried with. */
export const mutants: readonly Mutant[] = [
  ...simulated,
  {
    name: 'hand-over-takes-any-place-away',
    file: 'src/service/hand-over.ts',
    edits: [
      {
        find: 'leave(lane, snapshot.id, snapshot.laneSeq)',
        replace: 'leave(lane, snapshot.id)',
      },
    ],
  },
];
