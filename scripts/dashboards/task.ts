import { type Dashboard, quantileOf } from './definition.ts';

export const task: Dashboard = {
  name: 'Task',
  description:
    'One task: its spans, its log lines and its trace. Write its id above, and the id of one of its traces. `holdfast why <id>` says in one sentence why it has not completed.',
  variables: [
    { name: 'task', label: 'Task id', text: '' },
    { name: 'trace', label: 'Trace id', text: '' },
  ],
  panels: [
    {
      title: 'Spans of the task',
      description:
        'Each later attempt has a trace of its own. Tempo has the traces that the Collector keeps.',
      kind: 'table',
      isWide: true,
      queries: [
        {
          traceql:
            '{ span.holdfast.task.id = "$task" } | select(span.holdfast.attempt, span.holdfast.outcome, span.holdfast.state, span.holdfast.queue_time_ms, span.holdfast.worker)',
        },
      ],
    },
    {
      title: 'Lines of the task',
      kind: 'logs',
      isWide: true,
      queries: [
        { logql: '{service_name=~".+"} | task_id="$task" | task_id!=""' },
        { logql: '{service_name=~".+"} | trace_id="$trace" | trace_id!=""' },
      ],
    },
    { title: 'Trace', kind: 'trace', isWide: true, queries: [{ traceql: '$trace' }] },
    {
      title: 'Find an attempt',
      description: 'The 99th percentile of the kept attempts. Each dot is one of them: open its trace.',
      unit: 's',
      isWide: true,
      queries: [
        {
          promql: quantileOf(
            0.99,
            'traces_duration_seconds',
            'messaging_destination_name, holdfast_outcome',
            '{span_kind="SPAN_KIND_CONSUMER"}',
          ),
          legend: '{{messaging_destination_name}} {{holdfast_outcome}}',
          exemplars: true,
        },
      ],
    },
  ],
};
