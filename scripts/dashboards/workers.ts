import { type Dashboard, percentiles, quantileOf, rateOf } from './definition.ts';

export const workers: Dashboard = {
  name: 'Workers',
  description:
    'Which workers are there, whether they have room, and how their handlers and their calls fare.',
  panels: [
    {
      title: 'Connected',
      queries: [{ promql: 'sum by (queue) (holdfast_worker_connected)', legend: '{{queue}}' }],
    },
    {
      title: 'Slots',
      description: 'Each slot runs one attempt. Without free slots tasks wait.',
      queries: [
        { promql: 'sum by (instance, state) (holdfast_worker_slots)', legend: '{{state}} {{instance}}' },
      ],
    },
    {
      title: 'Handlers',
      description: 'The time that handlers ran.',
      unit: 's',
      queries: percentiles('messaging_process_duration_seconds', 'messaging_destination_name'),
    },
    {
      title: 'Failed handlers',
      unit: 'ops',
      queries: [
        {
          promql: rateOf(
            'messaging_process_duration_seconds_count',
            'messaging_destination_name, error_type',
            '{error_type!=""}',
          ),
          legend: '{{messaging_destination_name}} {{error_type}}',
        },
      ],
    },
    {
      title: 'Tasks received',
      unit: 'ops',
      queries: [
        {
          promql: rateOf('messaging_client_consumed_messages_total', 'instance, messaging_destination_name'),
          legend: '{{messaging_destination_name}} {{instance}}',
        },
      ],
    },
    {
      title: 'Tasks submitted',
      description: 'Tasks that workers submit, such as those of their handlers, and the time of these calls.',
      queries: [
        {
          promql: rateOf('messaging_client_sent_messages_total', 'messaging_destination_name, error_type'),
          legend: 'a second {{messaging_destination_name}} {{error_type}}',
        },
        {
          promql: quantileOf(
            0.99,
            'messaging_client_operation_duration_seconds',
            'messaging_destination_name',
          ),
          legend: 'seconds, 99 % {{messaging_destination_name}}',
        },
      ],
    },
    {
      title: 'Refused outcomes',
      description: 'Outcomes that the store did not take. `lease_lost` is a worker that reported too late.',
      unit: 'ops',
      queries: [
        {
          promql: rateOf('holdfast_settlement_refused_total', 'queue, cause'),
          legend: '{{queue}} {{cause}}',
        },
      ],
    },
    {
      title: 'Heartbeats',
      description: 'How late they came. A lease expires if one is 20 s late.',
      unit: 's',
      queries: percentiles('holdfast_heartbeat_lateness_seconds'),
    },
    {
      title: 'Calls',
      description: 'Calls of workers to servers, each try by itself.',
      unit: 'reqps',
      queries: [
        {
          promql: rateOf('rpc_client_call_duration_seconds_count', 'rpc_method, rpc_status_code'),
          legend: '{{rpc_method}} {{rpc_status_code}}',
        },
      ],
    },
  ],
};
