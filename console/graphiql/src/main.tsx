import './workers';
import './styles.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Explorer } from './Explorer';
import { Session } from './session';

const root = document.getElementById('root');
if (!root) {
  throw new Error('the page has no #root');
}
createRoot(root).render(
  <StrictMode>
    <Explorer session={new Session()} />
  </StrictMode>,
);
