/**
 * The fields of a log line. Every line about a task has `task_id`, `queue`, `attempt`, and the trace if it is known.
 */
export interface LogFields {
  readonly task_id?: string | undefined;
  readonly queue?: string | undefined;
  readonly attempt?: number | undefined;
  readonly worker?: string | undefined;
  readonly trace_id?: string | undefined;
  readonly span_id?: string | undefined;
  readonly err?: unknown;
  readonly [field: string]: unknown;
}

/** A structured log; a pino logger is one. Callers never pass payloads or secrets to it. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
