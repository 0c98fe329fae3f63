/** The messages between the processes of a claim race, and the test for a single winner. */
import { type ChildProcess, fork } from 'node:child_process';

/** A claimer's report about its claim of one task. */
export interface ClaimReport {
  readonly kind: 'claimed';
  readonly taskId: string;
  /** True if the claimer got the task. */
  readonly won: boolean;
  /** True if the claimer's settlement was accepted. */
  readonly settled: boolean;
}

/** The error with which the store refused a claim. */
export interface LossReport {
  readonly kind: 'lost';
  readonly taskId: string;
  /** The winner as the store names it: worker name/worker id. */
  readonly winner: string;
  readonly message: string;
  readonly code: string;
  readonly reason: string;
  /** The name of the database's error, if the database is another program. */
  readonly cause: string | undefined;
}

export interface ReadyReport {
  readonly kind: 'ready';
  readonly port?: number | undefined;
}

export type RaceReport = ClaimReport | LossReport | ReadyReport;

export interface Race {
  readonly taskId: string;
  /** Names of the claimers that were given the task. */
  readonly winners: readonly string[];
  readonly settled: boolean;
  readonly lost: readonly LossReport[];
}

/** Returns true if one claimer won and settled the task, and the error of the other claimer names that winner. */
export function hasSingleWinner({ winners, settled, lost }: Race): boolean {
  const [winner = ''] = winners;
  const isNamed = lost.length === 1 && lost[0]?.winner.startsWith(`${winner}/`) === true;
  return winners.length === 1 && settled && isNamed;
}

export interface RaceChild {
  readonly process: ChildProcess;
  send(message: unknown): void;
  stop(): Promise<void>;
}

/** Starts a process from a file in this folder. `onReport` gets all of its reports. */
export function startChild(
  file: string,
  args: readonly string[],
  onReport: (report: RaceReport) => void,
): RaceChild {
  const process = fork(new URL(file, import.meta.url), [...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let stopping = false;
  const gone = new Promise<void>((resolve) => process.once('exit', () => resolve()));
  // An unexpected exit ends this process by the error. The other children then end too, since they are disconnected.
  process.once('exit', (status) => {
    if (!stopping) throw new Error(`${file} ended with status ${status}`);
  });
  process.on('message', (report) => onReport(report as RaceReport));
  return {
    process,
    send: (message) => void process.send(message as object),
    async stop() {
      stopping = true;
      process.kill('SIGTERM');
      await gone;
    },
  };
}

/** Sends a report from a child to its parent. */
export function reportToParent(report: RaceReport): void {
  process.send?.(report);
}
