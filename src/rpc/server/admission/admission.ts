/**
 * Decides about each call of the gRPC and HTTP listeners when its headers have arrived, before any of its message is
 * read: who calls, whether the identity has the call's verb, and whether there is room for one more call.
 */

import { HoldfastError } from '../../../core/errors.ts';
import { limits, timing } from '../../../core/limits.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Identity } from '../../api/api.ts';
import { requireVerb } from '../../api/permission/access.ts';
import { verbOf } from '../../api/permission/verbs.ts';
import type { Connection } from '../../auth/connections.ts';
import { type Authenticator, type Headers, identityOf } from '../authenticator.ts';
import { type CallBytes, ReceivingBudget, type ReceivingLimits } from './receiving-budget.ts';
import { Refusals } from './refusals.ts';
import { RequestTimer } from './request-timer.ts';
import { Turns } from './turns.ts';

/** HTTP/2 counts each header with this many bytes beside its name and its value. */
const bytesOfHeader = 32;

export interface AdmissionOptions {
  readonly clock: Clock;
  readonly most?: ReceivingLimits | undefined;
  /** Default: `timing.requestMs`. */
  readonly requestMs?: number | undefined;
}

export interface AdmittedCall {
  readonly connection: Connection;
  readonly bytes: CallBytes;
  /** The caller, or undefined for a stranger, who may call health and reflection. */
  readonly identity: Identity | undefined;
  /** The time in which its message must arrive. */
  readonly timer: RequestTimer;
}

/** The admission of one node, which its listeners share. */
export class Admission {
  readonly budget: ReceivingBudget;
  readonly #timer: RequestTimer;
  readonly #strangerTimer: RequestTimer;
  readonly refusals: Refusals;
  readonly turns: Turns;

  constructor({ clock, most = limits, requestMs = timing.requestMs }: AdmissionOptions) {
    this.budget = new ReceivingBudget(most);
    this.#timer = new RequestTimer(clock, requestMs);
    this.#strangerTimer = new RequestTimer(clock, Math.min(requestMs, timing.strangerRequestMs));
    this.refusals = new Refusals(clock);
    this.turns = new Turns(clock);
  }

  /**
   * Admits a call by its path, by its client's connection, as the authenticator returned it, and by its headers. Throws
   * UNAUTHENTICATED, PERMISSION_DENIED or RESOURCE_EXHAUSTED.
   */
  admit(
    authenticator: Pick<Authenticator, 'isOpen'>,
    path: string,
    connection: Connection,
    headers: Headers,
  ): AdmittedCall {
    let identity = identityOrNone(connection);
    if (!authenticator.isOpen(path)) {
      identity = identityOf(connection);
      const verb = verbOf(path);
      if (verb !== undefined) requireVerb(identity, verb);
    }
    const headerBytes = sizeOf(headers);
    connection.received(headerBytes);
    const bytes = this.budget.open(connection, identity?.name, limits.callBytes + headerBytes);
    const timer = identity === undefined ? this.#strangerTimer : this.#timer;
    return { connection, identity, bytes, timer };
  }
}

function identityOrNone({ authorization }: Connection): Identity | undefined {
  return authorization instanceof HoldfastError ? undefined : authorization;
}

function sizeOf(headers: Headers): number {
  let bytes = 0;
  for (const name in headers) bytes += bytesOfHeader + name.length + String(headers[name]).length;
  return bytes;
}
