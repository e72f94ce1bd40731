import * as React from 'react';

import type { IFiles } from '../../api/details';
import { bytes } from '../../format/numbers';
import { basename } from '../../format/text';
import { Ago } from '../Ago';
import { usePanel } from '../context';

/** The files being made, latest written first; a click opens one that JupyterLab can reach. */
export function FileList({ files }: { files: IFiles }): React.ReactElement | null {
  const { commands, trans } = usePanel();
  const ago = React.useCallback((time: string) => trans.__('%1 ago', time), [trans]);
  if (files.files.length === 0) {
    return null;
  }
  return (
    <section>
      <h3>{trans.__('Files')}</h3>
      <ul className="tv-Files">
        {files.files.map(file => (
          <li key={file.path} title={file.path}>
            {file.server_path !== null ? (
              <button
                className="tv-Link tv-ellipsis"
                onClick={() => void commands.execute('docmanager:open', { path: file.server_path })}
              >
                {basename(file.path)}
              </button>
            ) : (
              <span className="tv-ellipsis">{basename(file.path)}</span>
            )}
            {file.growing && <span className="tv-Growing">{trans.__('being written')}</span>}
            <span className="tv-number tv-Memory">{bytes(file.size)}</span>
            <span className="tv-number">
              <Ago since={file.modified_at} words={ago} />
            </span>
          </li>
        ))}
      </ul>
      {!files.complete && <p className="tv-Hint">{trans.__('There are more.')}</p>}
    </section>
  );
}
