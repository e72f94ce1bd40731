// JupyterLab ships its packages as ES modules, which Jest has to translate first.
const modules = [
  '@jupyter/',
  '@jupyterlab/',
  '@lumino/',
  '@microsoft/',
  '@tanstack/',
  'exenv-es6',
  'lib0',
  'nanoid',
  'uplot',
  'y-protocols',
  'yjs'
];

export default {
  testEnvironment: 'jsdom',
  testTimeout: 60_000, // a busy machine is slow, not wrong
  testMatch: ['<rootDir>/test/**/*.spec.ts', '<rootDir>/test/**/*.spec.tsx'],
  moduleNameMapper: { '\\.(css|svg)$': '<rootDir>/test/empty.ts' },
  transform: {
    '\\.(ts|tsx|js)$': [
      'ts-jest',
      {
        diagnostics: false,
        tsconfig: {
          allowJs: true,
          esModuleInterop: true,
          isolatedModules: true,
          jsx: 'react',
          module: 'commonjs'
        }
      }
    ]
  },
  transformIgnorePatterns: [`/node_modules/(?!(${modules.join('|')}))`]
};
