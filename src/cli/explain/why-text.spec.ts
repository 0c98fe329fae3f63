import { create } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { TaskSchema } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import { VerdictSchema } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { whyText } from './why-text.ts';

it('the command that shows the earlier events of a task has the tenant that the caller has named', () => {
  const known = {
    task: create(TaskSchema, { id: '1-abc' }),
    verdict: create(VerdictSchema, { sentence: 'It runs.' }),
    ...{ atMs: 1_000, events: [], earlier: 7 },
    telemetry: {
      attempts: [],
      links: [],
      faults: [],
      taskId: '1-abc',
      traceId: undefined,
      isTraceKept: undefined,
      spans: [],
      lines: [],
    },
  };
  const textFor = (tenant: string): string => whyText({ ...known, tenant } as Parameters<typeof whyText>[0]);
  expect(textFor('acme')).toContain('(7 earlier events: holdfast show 1-abc --history --tenant acme)');
  expect(textFor('')).toContain('(7 earlier events: holdfast show 1-abc --history)');
});
