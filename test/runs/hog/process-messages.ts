/** The messages and arguments of the processes of a run. */
import type { CertificateFiles } from '../../../src/tls/load.ts';
import type { Reached } from './tally.ts';
import type { TargetOptions } from './target.ts';

export interface AttackerOptions extends TargetOptions {
  readonly attack: string;
}

export interface ProberOptions {
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly files: CertificateFiles;
}

export type AttackerReport = { readonly kind: 'reached'; readonly reached: Reached };

/** One probe: a call of another identity, or a health check. */
export interface ProbeReport {
  readonly kind: 'probe';
  readonly name: string;
  readonly ms: number;
  /** Why the probe was refused; undefined if it was answered. */
  readonly refusal: string | undefined;
}
