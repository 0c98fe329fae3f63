import type { Server as NetServer } from 'node:net';
import type { Connections } from '../auth/connections.ts';
import type { PolicySource } from '../auth/policy-file.ts';
import type { Admission } from './admission/admission.ts';
import type { ServingState } from './health.ts';

/** An open listener of a server. */
export interface Listener {
  readonly server: NetServer;
  readonly connections: Connections;
  readonly port: number;
  /** Counts what was refused because of a header that describes a client's certificate. */
  refusals(): HeaderRefusals;
  /** Refuses new connections, and closes each open connection once its last stream has ended. */
  stop(): void;
}

export interface HeaderRefusals {
  readonly listener: 'grpc' | 'http' | 'alb' | 'metrics';
  /** Requests that claim an identity by a header. */
  readonly forged: number;
  /** Calls whose certificate in the header was refused. */
  readonly certificate: number;
  /** Connections from a network that is not the load balancer's. */
  readonly network: number;
}

/** The parts that all listeners use. */
export interface Shared {
  readonly policy: PolicySource;
  readonly health: ServingState;
  readonly admission: Admission;
}
