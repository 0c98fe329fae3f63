/**
 * The clients of a load balancer. One connection of a load balancer carries the calls of many clients, so each client has
 * a connection of its own here, which stands for its calls on that connection.
 */
import { HoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import type { Log } from '../../../ports/log.ts';
import type { VerifiedPeer } from '../../../tls/forwarded-certificates.ts';
import type { Peer } from '../../../tls/peer.ts';
import type { Identity } from '../../api/api.ts';
import { type Connection, rightsChanged, type StreamCutter } from '../../auth/connections.ts';
import type { Policy } from '../../auth/policy.ts';
import type { PolicySource } from '../../auth/policy-file.ts';

export interface ForwardedCallersDeps {
  readonly policy: PolicySource;
  readonly log: Log;
}

export class ForwardedCallers {
  readonly #deps: ForwardedCallersDeps;
  /** The clients of each connection of the load balancer, by the digests of their certificates, the oldest first. */
  readonly #callers = new WeakMap<Connection, Map<string, ForwardedCaller>>();
  readonly #withStreams = new Set<ForwardedCaller>();

  constructor(deps: ForwardedCallersDeps) {
    this.#deps = deps;
    deps.policy.onChange(() => {
      for (const caller of this.#withStreams) caller.reauthorize();
    });
  }

  /** Returns the connection of a client whose certificate came by this connection of the load balancer. */
  callerOf(shared: Connection, { peer, digest }: VerifiedPeer): Connection {
    const callers = this.#callers.get(shared) ?? new Map<string, ForwardedCaller>();
    this.#callers.set(shared, callers);
    const known = callers.get(digest);
    if (known !== undefined) return known;
    const caller = new ForwardedCaller(shared, peer, this.#deps, this.#withStreams);
    callers.set(digest, caller);
    if (callers.size > limits.forwardedCallers) {
      const [oldest] = callers.keys();
      callers.delete(oldest as string);
    }
    return caller;
  }
}

class ForwardedCaller implements Connection {
  readonly isShared = true;
  readonly #shared: Connection;
  readonly #peer: Peer;
  readonly #deps: ForwardedCallersDeps;
  readonly #withStreams: Set<ForwardedCaller>;
  readonly #cuts = new Set<StreamCutter>();
  #policy: Policy;
  #authorization: Identity | HoldfastError;
  #isRefusalLogged = false;

  constructor(shared: Connection, peer: Peer, deps: ForwardedCallersDeps, withStreams: Set<ForwardedCaller>) {
    this.#shared = shared;
    this.#peer = peer;
    this.#deps = deps;
    this.#withStreams = withStreams;
    this.#policy = deps.policy.current;
    this.#authorization = this.#policy.authorize(peer);
  }

  get address(): string {
    return this.#shared.address;
  }

  get host(): string {
    return this.#shared.host;
  }

  get authorization(): Identity | HoldfastError {
    const { current } = this.#deps.policy;
    if (current !== this.#policy) {
      this.#policy = current;
      this.#authorization = current.authorize(this.#peer);
    }
    return this.#authorization;
  }

  received(bytes: number): void {
    this.#shared.received(bytes);
  }

  brokeProtocol(): void {
    this.#shared.brokeProtocol();
  }

  logRefusal({ code, reason, message }: HoldfastError): void {
    if (this.#isRefusalLogged) return;
    this.#isRefusalLogged = true;
    const fields = { listener: 'alb', peer: this.address, identity: this.#peer.name, code, reason };
    this.#deps.log.warn(fields, `a call was refused: ${message}`);
  }

  watch(cut: StreamCutter): () => void {
    this.#cuts.add(cut);
    this.#withStreams.add(this);
    // A server that closes cuts the streams of its connections.
    const unwatchShared = this.#shared.watch(cut);
    return () => {
      unwatchShared();
      this.#cuts.delete(cut);
      if (this.#cuts.size === 0) this.#withStreams.delete(this);
    };
  }

  /** Ends the streams of a client whose permissions have changed. */
  reauthorize(): void {
    const before = this.#authorization;
    const current = this.authorization;
    if (JSON.stringify(before) === JSON.stringify(current)) return;
    if (current instanceof HoldfastError) this.logRefusal(current);
    this.cut(current instanceof HoldfastError ? current : rightsChanged(current));
  }

  cut(error: HoldfastError): void {
    for (const cut of [...this.#cuts]) cut(error);
  }
}
