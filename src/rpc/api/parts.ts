import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Service } from '../../service/service.ts';
import type { OpenStreams } from './streams/open-streams.ts';

/** What the calls share on one node. */
export interface Parts {
  readonly service: Service;
  readonly clock: Clock;
  readonly log: Log;
  /** Names this process among its peers. */
  readonly node: string;
  readonly streams: OpenStreams;
  /** This node opens no more streams. */
  readonly draining: boolean;
  /** Calls back when this node begins to drain. The answer forgets it. */
  onDrain(drain: () => void): () => void;
}
