import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Service } from '../../service/service.ts';
import type { IdentityShares } from './identity-shares.ts';
import type { ReportTurns } from './report-turns.ts';
import type { OpenStreams } from './streams/open-streams.ts';
import type { UnsentBytes } from './streams/unsent-bytes.ts';
import type { Unanswered } from './unanswered.ts';

/** The dependencies that all calls of one node share. */
export interface ApiDeps {
  readonly service: Service;
  readonly clock: Clock;
  readonly log: Log;
  /** The name of this process among the nodes of the store. */
  readonly node: string;
  readonly streams: OpenStreams;
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
