/** The lines that a query selects: those of a task, and those of the trace of its submission. */
export interface Lines {
  readonly taskId: string;
  readonly traceId: string | undefined;
}

/** Returns the LogQL query of a task's lines, for Loki and Grafana. */
export function logQlOf({ taskId, traceId }: Lines): string {
  const ofTrace = traceId === undefined ? '' : ` or trace_id="${traceId}"`;
  return `{service_name=~".+"} | task_id="${taskId}"${ofTrace}`;
}

/** Returns the LogsQL query of a task's lines, for VictoriaLogs. */
export function logsQlOf({ taskId, traceId }: Lines): string {
  const ofTrace = traceId === undefined ? '' : ` or trace_id:="${traceId}"`;
  return `task_id:="${taskId}"${ofTrace}`;
}
