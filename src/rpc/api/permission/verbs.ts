/**
 * The verb that each call requires. The listeners check it before they read a call's message, and the calls themselves
 * check it again.
 */
import type { Verb } from '../api.ts';

type VerbsOf = Readonly<Record<string, Verb>>;

const verbs: Readonly<Record<string, VerbsOf>> = {
  'holdfast.v1.TaskService': {
    SubmitTask: 'submit',
    SubmitTasks: 'submit',
    SubmitStream: 'submit',
    GetTask: 'read',
    GetTaskByKey: 'read',
    ListTasks: 'read',
    GetTaskHistory: 'read',
    VerifyTaskHistory: 'read',
    ExplainTask: 'read',
    ListTrouble: 'read',
    WatchTask: 'read',
    WatchTasks: 'read',
    CancelTask: 'submit',
    RedriveTask: 'submit',
    RedriveTasks: 'admin',
  },
  'holdfast.v1.WorkerService': {
    Work: 'work',
    Report: 'work',
    ClaimTasks: 'work',
    Heartbeat: 'work',
    SucceedTask: 'work',
    FailTask: 'work',
  },
  'holdfast.v1.AdminService': {
    ListQueues: 'read',
    GetQueue: 'read',
    UpdateQueue: 'admin',
    PauseQueue: 'admin',
    ResumeQueue: 'admin',
    ListWorkers: 'read',
  },
};

const byPath: ReadonlyMap<string, Verb> = new Map(
  Object.entries(verbs).flatMap(([service, methods]) =>
    Object.entries(methods).map(([method, verb]): [string, Verb] => [`/${service}/${method}`, verb]),
  ),
);

/** Returns the verb that the call at a path (`/holdfast.v1.TaskService/GetTask`) requires, if there is such a call. */
export function verbOf(path: string): Verb | undefined {
  return byPath.get(path);
}
