import { createBrowserRouter } from 'react-router';
import { SignedIn } from '../administrator/signed_in';
import { Fault } from './fault';
import { Shell } from './shell';

/** Every place of the administration; each page is fetched when it is first visited. */
export const router = createBrowserRouter([
  {
    ErrorBoundary: Fault,
    HydrateFallback: () => null,
    children: [
      { path: '/setup', lazy: () => import('../administrator/setup_page') },
      { path: '/sign-in', lazy: () => import('../administrator/sign_in_page') },
      {
        Component: SignedIn,
        children: [
          {
            Component: Shell,
            children: [
              {
                ErrorBoundary: Fault,
                children: [
                  { index: true, lazy: () => import('../home/home_page') },
                  {
                    path: '/extensions',
                    lazy: () => import('../extension/extension_list'),
                    children: [
                      { path: 'new', lazy: () => import('../extension/new_extension') },
                      { path: 'import', lazy: () => import('../extension/import_extensions') },
                      { path: ':number', lazy: () => import('../extension/extension_sheet') },
                    ],
                  },
                  { path: '/calls', lazy: () => import('../call/call_list') },
                  { path: '/call-records', lazy: () => import('../call_record/call_record_list') },
                  { path: '/call-records/:id', lazy: () => import('../call_record/call_record_page') },
                  { path: '/devices', lazy: () => import('../device/device_list') },
                  { path: '/trunks', lazy: () => import('../trunk/trunk_list') },
                  { path: '/security', lazy: () => import('../security/security_page') },
                  { path: '*', lazy: () => import('./unknown_page') },
                ],
              },
            ],
          },
        ],
      },
    ],
  },
]);
