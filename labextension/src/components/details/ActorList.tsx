import * as React from 'react';

import type { IActor } from '../../api/details';
import type { IProcess } from '../../api/types';
import { usePanel } from '../context';
import { useDetail } from './useDetail';

/** The actors inside a process, each below its supervisor or spawner. */
export function ActorList({ process }: { process: IProcess }): React.ReactElement | null {
  const { client, trans } = usePanel();
  const actors = useDetail(process, ['actors'], client.actors, 10).data?.actors ?? [];
  if (actors.length === 0) {
    return null;
  }
  return (
    <section>
      <h3>{trans.__('Actors')}</h3>
      <ul className="tv-OsTree" aria-label={trans.__('Actors')}>
        {roots(actors).map(actor => (
          <Branch key={actor.actor_id} actor={actor} all={actors} />
        ))}
      </ul>
    </section>
  );
}

/** Those whose parent is not in the list. */
export function roots(actors: readonly IActor[]): IActor[] {
  const known = new Set(actors.map(actor => actor.actor_id));
  return actors.filter(actor => actor.parent_id === null || !known.has(actor.parent_id));
}

function Branch({ actor, all }: { actor: IActor; all: readonly IActor[] }): React.ReactElement {
  const { trans } = usePanel();
  const below = all.filter(other => other.parent_id === actor.actor_id);
  const waiting = actor.mailbox ? trans._n('%1 message waits', '%1 messages wait', actor.mailbox) : '';
  return (
    <li>
      <div className="tv-Node" title={actor.exit_reason ?? actor.actor_id}>
        <span className="tv-ellipsis">{actor.name ?? actor.actor_id}</span>
        <span className="tv-Hint tv-ellipsis">
          {[actor.status, actor.exit_reason, waiting].filter(Boolean).join(' · ')}
        </span>
      </div>
      {below.length > 0 && (
        <ul>
          {below.map(child => (
            <Branch key={child.actor_id} actor={child} all={all} />
          ))}
        </ul>
      )}
    </li>
  );
}
