/** The fields of design: every line about a task carries task_id, queue, attempt, and its trace where known. */
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

/** A structured log; pino fits. Payloads and secrets are never given to it. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
