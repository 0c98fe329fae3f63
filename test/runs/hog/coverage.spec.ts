/** Checks for each call of the API that an attack makes it, or that this file says why none does. */
import { expect, it } from 'vitest';
import { AdminService } from '../../../src/rpc/gen/holdfast/v1/admin_service_pb.ts';
import { TaskService } from '../../../src/rpc/gen/holdfast/v1/task_service_pb.ts';
import { WorkerService } from '../../../src/rpc/gen/holdfast/v1/worker_service_pb.ts';
import { attacks } from './attacks.ts';
import { paths } from './messages.ts';

/** The attack that makes each call with valid messages. */
const attackOf: Readonly<Record<string, string>> = {
  SubmitTask: 'compressed-bombs',
  SubmitTasks: 'submissions',
  SubmitStream: 'streamed-submissions',
  GetTask: 'unread-answers',
  ListTasks: 'lists',
  ExplainTask: 'explanations',
  ListTrouble: 'trouble-lists',
  WatchTasks: 'watches',
  ClaimTasks: 'waiting-claims',
  Heartbeat: 'heartbeat-calls',
  Work: 'work-streams',
  Report: 'heartbeats',
};

/** The reason for which no attack makes a call: it costs no more than another one, with the same turns and limits. */
const noAttack: Readonly<Record<string, string>> = {
  GetTaskByKey: 'reads one task, as GetTask does',
  GetTaskHistory: 'reads the events of one task, fewer bytes than GetTask',
  VerifyTaskHistory: 'reads the events of one task and answers with a few numbers',
  WatchTask: 'is a WatchTasks call for one task',
  CancelTask: 'writes one task; calls that write take their share as SubmitTask',
  RedriveTask: 'writes one task; calls that write take their share as SubmitTask',
  RedriveTasks: 'needs the verb admin, whose holder is trusted with the queues; it counts as a whole turn',
  SucceedTask: 'is a batch of one settlement, which the attack settlements sends by the hundred',
  FailTask: 'is a batch of one settlement, which the attack settlements sends by the hundred',
  GetQueue: 'reads the counts of one queue',
  ListQueues: 'reads the counts of queues, with the turns of ListTasks',
  ListWorkers: 'reads what the node keeps of workers, with the turns of ListTasks',
  PauseQueue: 'needs the verb admin, whose holder is trusted with the queues',
  ResumeQueue: 'needs the verb admin, whose holder is trusted with the queues',
  UpdateQueue: 'needs the verb admin, whose holder is trusted with the queues',
};

const methods = [TaskService, WorkerService, AdminService].flatMap((service) => service.methods);

it('each call of the API has an attack, or a reason for which none makes it', () => {
  const listed = [...Object.keys(attackOf), ...Object.keys(noAttack)];
  expect(listed.sort()).toEqual(methods.map(({ name }) => name).sort());
});

it('the attacks that are listed exist, and the paths of attacks are those of the calls that are listed', () => {
  const names = attacks.map(({ name }) => name);
  expect(Object.values(attackOf).filter((name) => !names.includes(name))).toEqual([]);
  const called = methods.filter(({ name }) => name in attackOf);
  const pathsOfCalls = called.map(({ parent, name }) => `/${parent.typeName}/${name}`);
  const pathsOfAttacks = Object.values(paths).filter((path) => path.startsWith('/holdfast.'));
  expect([...pathsOfAttacks].sort()).toEqual(pathsOfCalls.sort());
});
