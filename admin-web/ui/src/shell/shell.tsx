/** The frame of every page of someone who is signed in: where one can go, who one is, and whether what is shown is true. */
import { ActionIcon, Button, Menu } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import type { ReactNode } from 'react';
import { NavLink, Outlet, ScrollRestoration } from 'react-router';
import { useSession, useSignOut } from '../administrator/session';
import { ConnectionBanner } from '../live/connection_banner';
import { useCalls, useLiveConnection } from '../live/live';
import { LiveMark } from '../live/live_mark';
import {
  IconCall,
  IconExtension,
  IconHome,
  IconLine,
  IconMenu,
  IconPerson,
  IconPhone,
  IconRecord,
  IconShield,
  IconSignOut,
} from './icons';
import { Notice } from './notice';
import { Preferences } from './preferences';
import styles from './shell.module.css';
import { StoreBanner } from './store_banner';
import { useWords } from './words';

export function Shell() {
  const { t } = useWords();
  const [opened, menu] = useDisclosure(false);
  useLiveConnection();
  return (
    <div className={styles.shell}>
      <a className={styles.skip} href="#content">
        {t('shell.skip')}
      </a>
      <header className={styles.header}>
        <ActionIcon
          className={styles.burger}
          variant="subtle"
          color="gray"
          size="lg"
          aria-label={t('shell.menu')}
          aria-expanded={opened}
          aria-controls="navigation"
          onClick={menu.toggle}
        >
          <IconMenu />
        </ActionIcon>
        <LiveMark />
        <div className={styles.tools}>
          <Preferences />
          <Account />
        </div>
      </header>
      <nav id="navigation" className={styles.navigation} data-opened={opened} aria-label={t('nav.label')}>
        <Brand />
        <Place to="/" icon={<IconHome />} label={t('nav.home')} onGo={menu.close} testid="nav-home" />
        <Place
          to="/extensions"
          icon={<IconExtension />}
          label={t('nav.extensions')}
          onGo={menu.close}
          testid="nav-extensions"
        />
        <Place
          to="/calls"
          icon={<IconCall />}
          label={t('nav.calls')}
          onGo={menu.close}
          testid="nav-calls"
          count={<CallCount />}
        />
        <Place
          to="/call-records"
          icon={<IconRecord />}
          label={t('nav.call_records')}
          onGo={menu.close}
          testid="nav-call-records"
        />
        <Place to="/devices" icon={<IconPhone />} label={t('nav.devices')} onGo={menu.close} testid="nav-devices" />
        <Place to="/trunks" icon={<IconLine />} label={t('nav.trunks')} onGo={menu.close} testid="nav-trunks" />
        <Place to="/security" icon={<IconShield />} label={t('nav.security')} onGo={menu.close} testid="nav-security" />
      </nav>
      <main id="content" className={styles.content} tabIndex={-1}>
        <ConnectionBanner />
        <StoreBanner />
        <Outlet />
      </main>
      <Notice />
      <ScrollRestoration />
    </div>
  );
}

export function Brand() {
  const { t } = useWords();
  return (
    <div className={styles.brand}>
      <img src="/icon.svg" alt="" width={28} height={28} />
      <span>{t('shell.product')}</span>
    </div>
  );
}

type Target = { to: string; icon: ReactNode; label: string; onGo: () => void; testid: string; count?: ReactNode };

function Place({ to, icon, label, onGo, testid, count }: Target) {
  return (
    <NavLink to={to} end={to === '/'} className={styles.place ?? ''} onClick={onGo} data-testid={testid}>
      {icon}
      <span className={styles.label}>{label}</span>
      {count}
    </NavLink>
  );
}

function CallCount() {
  const { t } = useWords();
  const { length } = useCalls();
  if (length === 0) return null;
  return (
    <span className={styles.count}>
      <span aria-hidden="true">{length}</span>
      <span className={styles.spoken}>{t('call.count', { count: length })}</span>
    </span>
  );
}

function Account() {
  const { t } = useWords();
  const session = useSession();
  const signOut = useSignOut();
  if (!session) return null;
  return (
    <Menu position="bottom-end" withinPortal={false}>
      <Menu.Target>
        <Button
          variant="subtle"
          color="gray"
          size="sm"
          leftSection={<IconPerson size={18} />}
          aria-label={t('administrator.account', { name: session.name })}
          data-testid="account"
        >
          <span className={styles.account}>{session.name}</span>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item leftSection={<IconSignOut size={18} />} onClick={() => signOut.mutate()} data-testid="sign-out">
          {t('administrator.sign_out')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
