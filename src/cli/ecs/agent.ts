import { textOf as textOfValue } from '../../core/untrusted.ts';
import type { Clock } from '../../ports/clock.ts';
import { usage } from '../exit-codes.ts';

/** A request for the protection of this task, as the agent of ECS takes it. */
export interface ProtectionRequest {
  readonly ProtectionEnabled: boolean;
  /** 1 to 2,880. Only of a request that protects. */
  readonly ExpiresInMinutes?: number;
}

/** Sends a request to the agent. Rejects with an Error whose message ends a sentence about the call. */
export type AskAgent = (request: ProtectionRequest, answerMs: number) => Promise<void>;

/** The answer of the agent, with one of these fields. */
interface AgentAnswer {
  readonly protection?: { readonly ProtectionEnabled?: boolean };
  /** ECS has refused the request, for example DEPLOYMENT_BLOCKED while a deployment waits for protected tasks. */
  readonly failure?: { readonly Reason?: string; readonly Detail?: string } | null;
  /** The agent could not make the call, for example AccessDeniedException. */
  readonly error?: { readonly Code?: string; readonly Message?: string } | null;
}

/**
 * Returns the URL at which the agent of ECS protects this task.
 *
 * @throws HoldfastError INVALID_ARGUMENT if this process is no task of ECS.
 */
export function protectionUrl(env: Readonly<Record<string, string | undefined>>): string {
  const base = env.ECS_AGENT_URI ?? '';
  const help = 'ECS sets ECS_AGENT_URI in the containers of its tasks. Elsewhere leave --protect-task out.';
  if (base === '') throw usage('--protect-task needs the agent of ECS, and ECS_AGENT_URI is not set.', help);
  if (!URL.canParse(base) || !/^https?:$/.test(new URL(base).protocol))
    throw usage('--protect-task needs the agent of ECS, and ECS_AGENT_URI is no URL.', help);
  return `${base.replace(/\/$/, '')}/task-protection/v1/state`;
}

/** Returns the function that sends requests to the agent at this URL. Each is bounded in time. */
export function agentAt(url: string, clock: Pick<Clock, 'after'>): AskAgent {
  return async (request, answerMs) => {
    const late = new AbortController();
    const cancelTimer = clock.after(answerMs, () => late.abort());
    try {
      const response = await fetch(url, {
        ...{ method: 'PUT', redirect: 'error', signal: late.signal },
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(request),
      });
      const text = await textOf(response);
      if (text === undefined) throw new Error(`was answered with more than ${mostAnswerBytes / 1_024} KiB`);
      const problem = problemIn(text, response.status, request.ProtectionEnabled);
      if (problem !== undefined) throw new Error(problem);
    } catch (thrown) {
      if (late.signal.aborted) throw new Error(`was not answered within ${answerMs / 1_000} s`);
      if (thrown instanceof TypeError) throw new Error(`failed (${codeOf(thrown)})`);
      throw thrown;
    } finally {
      cancelTimer();
    }
  };
}

/** The most bytes of an answer, which has a few hundred: the agent answers in place of ECS, and a worker has its own memory to keep. */
const mostAnswerBytes = 65_536;

/** Returns the text of an answer, or undefined if it is too long: the rest of it is not received. */
async function textOf({ body }: Response): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop cancels the body.
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > mostAnswerBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Returns what an answer says against the request; undefined if the agent has done it. */
function problemIn(text: string, status: number, wanted: boolean): string | undefined {
  let answer: AgentAnswer | null = null;
  try {
    answer = JSON.parse(text) as AgentAnswer | null;
  } catch {
    return `was answered with status ${status} and a text that is no JSON`;
  }
  const { protection, failure, error } = answer ?? {};
  if (failure != null) return `was refused: ${sentence(failure.Reason, failure.Detail)}`;
  if (error != null) return `failed: ${sentence(error.Code, error.Message)}`;
  if (protection?.ProtectionEnabled === wanted) return undefined;
  return `was answered with status ${status} and without the wanted protection`;
}

function sentence(name: unknown = 'no reason', detail: unknown = ''): string {
  const short = (value: unknown): string => textOfValue(value, 200);
  return detail === '' ? short(name) : `${short(name)} (${short(detail)})`;
}

/** Returns the code of a failed `fetch`, which is in the cause of its TypeError. */
function codeOf({ cause, message }: TypeError): string {
  const code = (cause as { readonly code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : message;
}
