import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

/** Why the server did not do it. `reason` is for programs, `message` for people; `status` 0 means no answer at all. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly reason: string | null = null
  ) {
    super(message);
  }
}

export type Query = Record<string, string | number | boolean | undefined>;

/** One call to the server extension; honours the base URL, token and XSRF cookie through ServerConnection. */
export async function call<T>(
  settings: ServerConnection.ISettings,
  path: string,
  options: { method?: 'GET' | 'POST' | 'DELETE'; query?: Query; body?: unknown } = {}
): Promise<T> {
  const query = Object.entries(options.query ?? {}).filter(([, value]) => value !== undefined);
  const search = new URLSearchParams(query.map(([name, value]) => [name, String(value)]));
  const url =
    URLExt.join(settings.baseUrl, 'tablevault/api', path) + (query.length ? `?${search.toString()}` : '');
  const init: RequestInit = { method: options.method ?? 'GET' };
  if (options.body !== undefined) {
    init.body = JSON.stringify(options.body);
  }
  let response: Response;
  try {
    response = await ServerConnection.makeRequest(url, init, settings);
  } catch (error) {
    throw new ApiError(error instanceof Error ? error.message : String(error), 0, 'unreachable');
  }
  const text = await response.text();
  const data = parse(text);
  if (!response.ok) {
    const { message, reason } = (data ?? {}) as { message?: string; reason?: string };
    throw new ApiError(
      message || `${response.status} ${response.statusText}`,
      response.status,
      reason ?? null
    );
  }
  if (data === undefined) {
    throw new ApiError('The server answered with something that is not JSON.', response.status);
  }
  return data as T;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
