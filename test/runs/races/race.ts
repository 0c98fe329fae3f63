/** What the processes of a race tell each other, and how one race is judged. */
import { type ChildProcess, fork } from 'node:child_process';

/** A claimer's answer: what it was given of this task. */
export interface Claimed {
  readonly kind: 'claimed';
  readonly taskId: string;
  /** Whether it won, and then whether its settlement was accepted. */
  readonly won: boolean;
  readonly settled: boolean;
}

/** What the loser's store refused its claim with. */
export interface Lost {
  readonly kind: 'lost';
  readonly taskId: string;
  /** As the store knows it: name/id. */
  readonly winner: string;
  readonly message: string;
  readonly code: string;
  readonly reason: string;
  /** The refusal of the database, where it is another program. */
  readonly cause: string | undefined;
}

export interface Ready {
  readonly kind: 'ready';
  readonly port?: number | undefined;
}

export type Told = Claimed | Lost | Ready;

export interface Race {
  readonly taskId: string;
  /** Names of the claimers that were given the task. */
  readonly winners: readonly string[];
  readonly settled: boolean;
  readonly lost: readonly Lost[];
}

/** One winner, whose settlement stood; and one loser, whose refusal names that winner. */
export function hasSingleWinner({ winners, settled, lost }: Race): boolean {
  const [winner = ''] = winners;
  const told = lost.length === 1 && lost[0]?.winner.startsWith(`${winner}/`) === true;
  return winners.length === 1 && settled && told;
}

export interface Child {
  readonly process: ChildProcess;
  tell(message: unknown): void;
  stop(): Promise<void>;
}

/** A process of its own on one of the files beside this. `hear` gets whatever it tells. */
export function child(file: string, args: readonly string[], receiveMessage: (told: Told) => void): Child {
  const process = fork(new URL(file, import.meta.url), [...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let stopping = false;
  const gone = new Promise<void>((resolve) => process.once('exit', () => resolve()));
  // The others end as well: they are disconnected.
  process.once('exit', (status) => {
    if (!stopping) throw new Error(`${file} ended with status ${status}`);
  });
  process.on('message', (told) => receiveMessage(told as Told));
  return {
    process,
    tell: (message) => void process.send(message as object),
    async stop() {
      stopping = true;
      process.kill('SIGTERM');
      await gone;
    },
  };
}

/** Of a child, to its parent. */
export function tellParent(told: Told): void {
  process.send?.(told);
}
