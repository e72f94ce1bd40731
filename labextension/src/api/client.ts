import type { ServerConnection } from '@jupyterlab/services';

import type {
  IActors,
  IBars,
  ICells,
  IErrors,
  IFiles,
  ILogMatches,
  ILogs,
  IMetrics,
  IPostMortem,
  IRequests,
  ISamples,
  ITree
} from './details';
import { call, type Query } from './fetch';
import type { Action, IImpact, INewRequest, IProcess, IProcessList, IRequest, IStatus } from './types';

/** One method for each endpoint of the contract. */
export class Client {
  private settings: ServerConnection.ISettings;

  constructor(settings: ServerConnection.ISettings) {
    // JupyterLab's own default, no-store, puts the time of day into each query; the contract knows no such parameter.
    this.settings = { ...settings, init: { ...settings.init, cache: 'no-cache' } };
  }

  status = () => this.get<IStatus>('status');
  list = (query: Query) => this.get<IProcessList>('processes', query);
  process = (id: string) => this.get<{ process: IProcess }>(of(id)).then(answer => answer.process);

  cells = (id: string, query: Query = {}) => this.get<ICells>(of(id, 'cells'), query);
  errors = (id: string) => this.get<IErrors>(of(id, 'errors'));
  requests = (id: string) => this.get<IRequests>(of(id, 'requests'));
  tree = (id: string) => this.get<ITree>(of(id, 'tree'));
  actors = (id: string) => this.get<IActors>(of(id, 'actors'));
  resources = (id: string, seconds: number) => this.get<ISamples>(of(id, 'resources'), { seconds });
  metrics = (id: string) => this.get<IMetrics>(of(id, 'metrics'));
  progress = (id: string) => this.get<IBars>(of(id, 'progress'));
  files = (id: string) => this.get<IFiles>(of(id, 'files'));
  logs = (id: string, query: Query) => this.get<ILogs>(of(id, 'logs'), query);
  searchLogs = (id: string, query: Query) => this.get<ILogMatches>(of(id, 'logs/search'), query);
  postMortem = (id: string) => this.get<IPostMortem>(of(id, 'post-mortem'));

  impact = (id: string, action: Action, query: Query = {}) =>
    this.get<IImpact>(of(id, 'impact'), { action, ...query });

  request = (id: string, body: INewRequest) =>
    call<IRequest>(this.settings, of(id, 'requests'), { method: 'POST', body });

  getRequest = (requestId: string) => this.get<IRequest>(`requests/${encodeURIComponent(requestId)}`);

  withdraw = (requestId: string) =>
    call<IRequest>(this.settings, `requests/${encodeURIComponent(requestId)}`, { method: 'DELETE' });

  runAgain = (id: string, body: { argv?: string[]; cwd?: string; name?: string }) =>
    call<{ process: IProcess }>(this.settings, of(id, 'run-again'), { method: 'POST', body }).then(
      answer => answer.process
    );

  private get<T>(path: string, query: Query = {}): Promise<T> {
    return call<T>(this.settings, path, { query });
  }
}

function of(id: string, part = ''): string {
  return `processes/${encodeURIComponent(id)}${part && '/'}${part}`;
}
