/** Line drawings of 20 by 20. They accompany words or labelled buttons and are silent to screen readers. */
import type { ReactNode } from 'react';

type Drawing = { size?: number | undefined };

function Drawn({ size = 20, children }: Drawing & { children: ReactNode }) {
  return (
    <svg
      aria-hidden="true"
      focusable="false"
      width={size}
      height={size}
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.5}
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      {children}
    </svg>
  );
}

export const IconHome = ({ size }: Drawing) => (
  <Drawn size={size}>
    <path d="M3 9.2 10 3.5l7 5.7M5 8v8.5h10V8M8.5 16.5v-4.5h3v4.5" />
  </Drawn>
);
export const IconExtension = ({ size }: Drawing) => (
  <Drawn size={size}>
    <path d="M3.5 8V5.5A1.5 1.5 0 0 1 5 4h10a1.5 1.5 0 0 1 1.5 1.5V8h-4L12 6.5H8L7.5 8z" />
    <path d="M5 10.5 4 16h12l-1-5.500z" />
    <path d="M8 12.500h4M8 14.200h4" />
  </Drawn>
);
export const IconCall = ({ size }: Drawing) => (
  <Drawn size={size}>
    <path d="M6.2 3.5 8 7.3 6.3 8.800a9 9 0 0 0 4.9 4.900l1.5-1.7 3.8 1.800v2.400a1.3 1.3 0 0 1-1.4 1.300A12.2 12.2 0 0 1 2.5 4.9 1.3 1.3 0 0 1 3.8 3.500z" />
  </Drawn>
);
export const IconRecord = ({ size }: Drawing) => (
  <Drawn size={size}>
    <circle cx="10" cy="10" r="6.7" />
    <path d="M10 6v4l2.7 1.7" />
  </Drawn>
);
export const IconPhone = ({ size }: Drawing) => (
  <Drawn size={size}>
    <path d="M6.500 3h7v14h-7zM9 14.500h2" />
  </Drawn>
);
export const IconShield = ({ size }: Drawing) => (
  <Drawn size={size}>
    <path d="M10 3 4.5 5v4.500c0 3.500 2.300 6 5.500 7.500 3.200-1.500 5.500-4 5.500-7.500V5z" />
  </Drawn>
);
export const IconPlus = ({ size }: Drawing) => (
  <Drawn size={size}>
    <path d="M10 4v12M4 10h12" />
  </Drawn>
);
export const IconSearch = ({ size }: Drawing) => (
  <Drawn size={size}>
    <circle cx="9" cy="9" r="5" />
    <path d="m13 13 3.5 3.5" />
  </Drawn>
);
export const IconCopy = ({ size }: Drawing) => (
  <Drawn size={size}>
    <rect x="7" y="7" width="9.5" height="9.5" rx="1.5" />
    <path d="M13 7V5a1.5 1.5 0 0 0-1.5-1.500H5A1.5 1.5 0 0 0 3.5 5v6.500A1.5 1.5 0 0 0 5 13h2" />
  </Drawn>
);
export const IconDone = ({ size }: Drawing) => (
  <Drawn size={size}>
    <path d="m4 10.5 4 4 8-9" />
  </Drawn>
);
export const IconKey = ({ size }: Drawing) => (
  <Drawn size={size}>
    <circle cx="7" cy="12.5" r="3.5" />
    <path d="m9.7 10 6.3-6.500M13 6.500l2.2 2.2" />
  </Drawn>
);
export const IconDelete = ({ size }: Drawing) => (
  <Drawn size={size}>
    <path d="M4 5.500h12M8 5.500V3.700h4v1.800M5.5 5.500l.8 11h7.400l.8-11M8.5 8.500v5M11.5 8.500v5" />
  </Drawn>
);
export const IconUpload = ({ size }: Drawing) => (
  <Drawn size={size}>
    <path d="M10 13V3.500M6.5 7 10 3.5 13.5 7M3.5 13v3.500h13V13" />
  </Drawn>
);
export const IconDownload = ({ size }: Drawing) => (
  <Drawn size={size}>
    <path d="M10 3.5v9M6.5 9 10 12.5 13.5 9M4 16.5h12" />
  </Drawn>
);
export const IconSun = ({ size }: Drawing) => (
  <Drawn size={size}>
    <circle cx="10" cy="10" r="3.2" />
    <path d="M10 2.500v2M10 15.500v2M2.5 10h2M15.5 10h2M4.7 4.700l1.4 1.400M13.9 13.900l1.4 1.400M15.3 4.700l-1.4 1.400M6.1 13.900l-1.4 1.4" />
  </Drawn>
);
export const IconMoon = ({ size }: Drawing) => (
  <Drawn size={size}>
    <path d="M16 11.800A6.5 6.5 0 0 1 8.2 4a6.5 6.5 0 1 0 7.8 7.800z" />
  </Drawn>
);
export const IconPerson = ({ size }: Drawing) => (
  <Drawn size={size}>
    <circle cx="10" cy="7" r="3" />
    <path d="M4 16.500c.5-3 2.9-4.7 6-4.700s5.5 1.7 6 4.7" />
  </Drawn>
);
export const IconSignOut = ({ size }: Drawing) => (
  <Drawn size={size}>
    <path d="M12 6V3.500H4v13h8V14M8.5 10h8M14 7.500l2.5 2.5-2.5 2.5" />
  </Drawn>
);
export const IconMenu = ({ size }: Drawing) => (
  <Drawn size={size}>
    <path d="M3.5 5.500h13M3.5 10h13M3.5 14.500h13" />
  </Drawn>
);
export const IconHangUp = ({ size }: Drawing) => (
  <Drawn size={size}>
    <path d="M2.5 11.800c0-2.4 3.3-4.3 7.5-4.300s7.5 1.9 7.5 4.300v1.400c0 .6-.5 1-1.1.900l-2.7-.500a.9.9 0 0 1-.8-.800l-.2-2a10 10 0 0 0-5.4 0l-.2 2a.9.9 0 0 1-.8.800l-2.7.500a.9.9 0 0 1-1.1-.900z" />
  </Drawn>
);
export const IconArrow = ({ size }: Drawing) => (
  <Drawn size={size}>
    <path d="M4 10h12M11.5 5.5 16 10l-4.5 4.5" />
  </Drawn>
);
export const IconBack = ({ size }: Drawing) => (
  <Drawn size={size}>
    <path d="M16 10H4M8.5 5.5 4 10l4.5 4.5" />
  </Drawn>
);
export const IconWarning = ({ size }: Drawing) => (
  <Drawn size={size}>
    <path d="M10 3.5 17.5 16.500h-15zM10 8.500v3.700M10 14.300v.2" />
  </Drawn>
);
export const IconLine = ({ size }: Drawing) => (
  <Drawn size={size}>
    <path d="M10 10v7M6.8 13.200a4.500 4.500 0 1 1 6.400 0M4.500 15.500a7.800 7.800 0 1 1 11 0" />
  </Drawn>
);
