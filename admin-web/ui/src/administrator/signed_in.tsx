import { Navigate, Outlet, useLocation } from 'react-router';
import { ProblemAlert } from '../shell/problem_alert';
import { useSessionQuery } from './session';

/** Lets pass whoever is signed in, and shows everybody else the door. */
export function SignedIn() {
  const session = useSessionQuery();
  const { pathname } = useLocation();
  if (session.data) return <Outlet />;
  if (session.data === null) return <Navigate to={`/sign-in?next=${encodeURIComponent(pathname)}`} replace />;
  return <ProblemAlert reason={session.error} />;
}
