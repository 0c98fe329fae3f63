/** The injector of each cause. The investigator's process imports none of them. */
import type { Cause } from '../causes.ts';
import { blockedThread } from './blocked-thread.ts';
import { diskFull } from './disk-full.ts';
import { expiredCertificate } from './expired-certificate.ts';
import { failingVersion } from './failing-version.ts';
import type { Injector } from './injector.ts';
import { killedNode } from './killed-node.ts';
import { laneHeld } from './lane-held.ts';
import { pausedQueue } from './paused-queue.ts';
import { slowDependency } from './slow-dependency.ts';
import { sqsUnreachable } from './sqs-unreachable.ts';
import { tableThrottled } from './table-throttled.ts';

export const injectors: Readonly<Record<Cause, Injector>> = {
  'failing-version': failingVersion,
  'slow-dependency': slowDependency,
  'killed-node': killedNode,
  'table-throttled': tableThrottled,
  'sqs-unreachable': sqsUnreachable,
  'paused-queue': pausedQueue,
  'lane-held': laneHeld,
  'disk-full': diskFull,
  'expired-certificate': expiredCertificate,
  'blocked-thread': blockedThread,
};
