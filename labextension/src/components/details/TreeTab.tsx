import * as React from 'react';

import type { ITreeNode } from '../../api/details';
import type { IProcess, Status } from '../../api/types';
import { bytes, percent } from '../../format/numbers';
import { choose } from '../../model/selection';
import { statusWord } from '../../model/words';
import { usePanel } from '../context';
import { StatusMark } from '../StatusMark';
import { ActorList } from './ActorList';
import { Part } from './Part';
import { useDetail } from './useDetail';

/** Everything below the process as the operating system sees it, recorded or not, and its actors. */
export function TreeTab({ process }: { process: IProcess }): React.ReactElement {
  const { client, trans } = usePanel();
  const detail = useDetail(process, ['processes', 'actors'], client.tree, 5);
  return (
    <Part detail={detail} empty={trans.__('Nothing is left of it.')} isEmpty={data => !data.root}>
      {data => (
        <>
          <ul className="tv-OsTree" aria-label={trans.__('Process tree')}>
            <Branch node={data.root} own={process.process_id} />
          </ul>
          {process.actors > 0 && <ActorList process={process} />}
        </>
      )}
    </Part>
  );
}

function Branch({ node, own }: { node: ITreeNode; own: string }): React.ReactElement {
  const { model, trans } = usePanel();
  const other =
    node.process_id !== null && node.process_id !== own && model.store.processes.has(node.process_id);
  const go = () => model.select(choose(node.process_id ?? ''));
  return (
    <li>
      <div className="tv-Node" title={node.cmdline ?? node.name}>
        {node.process_id ? <StatusMark status={node.status as Status} /> : <span className="tv-Mark" />}
        {other ? (
          <button className="tv-Link tv-ellipsis" onClick={go}>
            {node.name}
          </button>
        ) : (
          <span className="tv-ellipsis">{node.name}</span>
        )}
        <span className="tv-Hint tv-ellipsis">
          {[node.kind, node.process_id ? statusWord(node.status as Status, trans) : node.status, node.pid]
            .filter(Boolean)
            .join(' · ')}
        </span>
        <span className="tv-number tv-Cpu">{percent(node.cpu)}</span>
        <span className="tv-number tv-Memory">{bytes(node.rss)}</span>
      </div>
      {node.children.length > 0 && (
        <ul>
          {node.children.map((child, index) => (
            <Branch key={child.pid ?? `${child.name}-${index}`} node={child} own={own} />
          ))}
        </ul>
      )}
    </li>
  );
}
