import { type Dashboard, quantileOf, rateOf } from './definition.ts';

export const overview: Dashboard = {
  name: 'Overview',
  description: 'Whether the installation is well: its alerts, its processes and its calls.',
  panels: [
    {
      title: 'Firing alerts',
      description: 'Each alert has a runbook in docs/runbooks/.',
      kind: 'numbers',
      queries: [
        {
          promql: 'count by (alertname, severity) (ALERTS{alertstate="firing"})',
          legend: '{{alertname}} ({{severity}})',
        },
      ],
    },
    {
      title: 'Processes',
      description: 'The processes that Prometheus reads: 1 if it reaches the process, otherwise 0.',
      kind: 'numbers',
      queries: [{ promql: 'up{job="holdfast"}', legend: '{{instance}}' }],
    },
    {
      title: 'Calls',
      description: 'Unary calls of the API a second, by their status.',
      unit: 'reqps',
      queries: [
        {
          promql: rateOf('rpc_server_call_duration_seconds_count', 'rpc_status_code'),
          legend: '{{rpc_status_code}}',
        },
      ],
    },
    {
      title: 'Slow calls',
      description: 'The 99th percentile of each call of the API.',
      unit: 's',
      queries: [
        {
          promql: quantileOf(0.99, 'rpc_server_call_duration_seconds', 'rpc_method'),
          legend: '{{rpc_method}}',
        },
      ],
    },
    {
      title: 'Refused calls',
      description: 'Calls a second that ended with an error, by its reason.',
      unit: 'reqps',
      queries: [
        {
          promql: rateOf('rpc_server_call_duration_seconds_count', 'error_type', '{error_type!=""}'),
          legend: '{{error_type}}',
        },
      ],
    },
    {
      title: 'Refused identities',
      description:
        'Requests a second that were refused for a header in which a load balancer passes on a certificate.',
      unit: 'reqps',
      queries: [
        {
          promql: rateOf('holdfast_header_refused_total', 'listener, cause'),
          legend: '{{cause}} on {{listener}}',
        },
      ],
    },
    {
      title: 'Dropped log lines',
      description: 'Log lines a second that no collector got. They stand on standard error all the same.',
      queries: [{ promql: rateOf('holdfast_log_dropped_total', 'instance'), legend: '{{instance}}' }],
    },
    {
      title: 'Streams',
      description: 'Open streams of workers and watchers, and the bytes that wait for slow readers.',
      queries: [
        { promql: 'sum by (instance) (holdfast_stream_open)', legend: 'open {{instance}}' },
        { promql: 'sum by (instance) (holdfast_stream_buffered_bytes)', legend: 'bytes {{instance}}' },
      ],
    },
    {
      title: 'Event loop',
      description: 'How long work waited for the thread of a process.',
      unit: 's',
      queries: [
        { promql: 'nodejs_eventloop_delay_p50_seconds', legend: 'median {{instance}}' },
        { promql: 'nodejs_eventloop_delay_p99_seconds', legend: '99 % {{instance}}' },
        { promql: 'nodejs_eventloop_delay_max_seconds', legend: 'longest {{instance}}' },
      ],
    },
    {
      title: 'Utilization',
      description: 'The part of the time in which the thread of a process was busy.',
      unit: 'percentunit',
      queries: [{ promql: 'nodejs_eventloop_utilization_ratio', legend: '{{instance}}' }],
    },
    {
      title: 'Memory',
      unit: 'bytes',
      queries: [
        { promql: 'process_memory_usage_bytes', legend: 'process {{instance}}' },
        { promql: 'v8js_memory_heap_used_bytes', legend: 'heap {{instance}}' },
        { promql: 'v8js_memory_heap_limit_bytes', legend: 'limit of the heap {{instance}}' },
      ],
    },
    {
      title: 'Processor',
      description: 'Processors that a process uses.',
      queries: [{ promql: rateOf('process_cpu_time_seconds_total', 'instance'), legend: '{{instance}}' }],
    },
    {
      title: 'Restarts',
      description: 'The time since a process began.',
      unit: 's',
      queries: [{ promql: 'process_uptime_seconds', legend: '{{instance}}' }],
    },
    {
      title: 'Certificates',
      description: 'The time until a certificate expires.',
      unit: 's',
      queries: [
        {
          promql: 'min by (instance, role) (holdfast_certificate_expiry_seconds)',
          legend: '{{role}} {{instance}}',
        },
      ],
    },
  ],
};
