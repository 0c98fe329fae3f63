import { type Mutant, mutants as simulated } from '../simulation/mutants/mutants.ts';

/**
 * The mutants of the simulation (bugs that are put into Holdfast), and one more mutant whose fault is too rare for the
 * simulation to find it reliably.
 */
export const mutants: readonly Mutant[] = [
  ...simulated,
  {
    name: 'hand-over-takes-any-place-away',
    file: 'src/service/hand-over.ts',
    edits: [
      {
        find: 'leaveLane(lane, snapshot.id, snapshot.laneSeq, hasRun(snapshot.head))',
        replace: 'leaveLane(lane, snapshot.id, undefined, hasRun(snapshot.head))',
      },
    ],
  },
];
