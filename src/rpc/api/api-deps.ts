import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { NodeMetrics } from '../../ports/metrics.ts';
import type { Service } from '../../service/service.ts';
import {
  type IdentityShares,
  reportShares,
  streamShares,
  troubleShares,
  waitingClaimShares,
  watchShares,
} from './identity-shares.ts';
import { ReportTurns } from './report-turns.ts';
import { UnsentBytes } from './streams/unsent-bytes.ts';
import { Unanswered } from './unanswered.ts';

export interface ApiOptions {
  /** Counts the calls. If absent, nothing is counted. */
  readonly metrics?: NodeMetrics | undefined;
  readonly service: Service;
  readonly clock: Clock;
  readonly log: Log;
  /** The name of this process among the nodes of the store. */
  readonly node: string;
}

/** The dependencies that all calls of one node share. */
export interface ApiDeps extends ApiOptions {
  /** The open streams. */
  readonly streams: IdentityShares;
  /** The ListTrouble calls in progress. */
  readonly troubleCalls: IdentityShares;
  /** The claim calls that wait for tasks. */
  readonly waitingClaims: IdentityShares;
  /** The bytes that were given to streams and not sent yet. */
  readonly unsent: UnsentBytes;
  /** The bytes of reports on streams that are not answered yet. */
  readonly reportBytes: IdentityShares;
  /** The turns of heartbeats and settlements, in streams and in calls of their own. */
  readonly reportTurns: ReportTurns;
  /** The tasks that streams watch. */
  readonly watches: IdentityShares;
  readonly unanswered: Unanswered;
  /** True once this node assigns nothing more and refuses new streams because it is shutting down. */
  readonly draining: boolean;
  /** Calls `drain` when this node begins to drain. Returns a function that unsubscribes. */
  onDrain(drain: () => void): () => void;
  /**
   * Calls `finish` when this node takes no more reports: each Report stream answers what it has received, then ends.
   * Returns a function that unsubscribes.
   */
  onFinish(finish: () => void): () => void;
}

/** The dependencies of a node's calls, and the functions by which the node begins to drain and takes no more reports. */
export interface ApiLife {
  readonly deps: ApiDeps;
  drain(): void;
  finish(): void;
}

export function createDeps(options: ApiOptions): ApiLife {
  const drains = new Set<() => void>();
  const finishes = new Set<() => void>();
  let draining = false;
  const deps: ApiDeps = {
    ...options,
    streams: streamShares(),
    troubleCalls: troubleShares(),
    waitingClaims: waitingClaimShares(),
    watches: watchShares(),
    unsent: new UnsentBytes(),
    reportBytes: reportShares(),
    reportTurns: new ReportTurns(options.clock),
    unanswered: new Unanswered(),
    get draining() {
      return draining;
    },
    onDrain(drain) {
      drains.add(drain);
      return () => drains.delete(drain);
    },
    onFinish(finish) {
      finishes.add(finish);
      return () => finishes.delete(finish);
    },
  };
  return {
    deps,
    drain() {
      draining = true;
      for (const drain of [...drains]) drain();
    },
    finish() {
      for (const finish of [...finishes]) finish();
    },
  };
}
