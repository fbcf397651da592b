import type { MantineColorsTuple, MantineThemeOverride } from '@mantine/core';

// Every shade used for text or behind it keeps 4.5:1, both themes (WCAG 1.4.3); the walk measures it.
const petrol: MantineColorsTuple = [
  '#e8f4f5',
  '#cfe6e8',
  '#a3d0d4',
  '#7cc0c6',
  '#5cb0b8',
  '#348f98',
  '#1f7a84',
  '#12646e',
  '#0d4f58',
  '#093a42',
];
const gray: MantineColorsTuple = [
  '#f4f6f7',
  '#eaeef0',
  '#e3e8ea',
  '#dbe1e4',
  '#b9c3c8',
  '#87939a',
  '#59656c',
  '#434e54',
  '#2d363b',
  '#192024',
];
const dark: MantineColorsTuple = [
  '#dfe5e7',
  '#c1cacd',
  '#9ba7ac',
  '#7a878d',
  '#3b474c',
  '#2b353a',
  '#20292d',
  '#171e21',
  '#11171a',
  '#0c1113',
];
const red: MantineColorsTuple = [
  '#fdeeec',
  '#f9d5d0',
  '#f4b3ab',
  '#ee8f83',
  '#e7705f',
  '#d8402f',
  '#c23224',
  '#a9281b',
  '#8a2016',
  '#6b1810',
];
const green: MantineColorsTuple = [
  '#e9f6ee',
  '#cdebd8',
  '#9cd7b2',
  '#66c089',
  '#3dab69',
  '#22974f',
  '#178043',
  '#126a38',
  '#0d532c',
  '#083b1f',
];
const yellow: MantineColorsTuple = [
  '#fdf5e3',
  '#f9e8c1',
  '#f2d189',
  '#e8b84f',
  '#d99f22',
  '#b98112',
  '#95660b',
  '#7a5206',
  '#5f3f04',
  '#442d02',
];

/** Plain data: the build also reads it to write the variables into a style sheet. */
export const theme: MantineThemeOverride = {
  colors: { petrol, gray, dark, red, green, yellow },
  primaryColor: 'petrol',
  primaryShade: { light: 7, dark: 6 },
  black: '#192024',
  fontFamily: "'Atkinson Hyperlegible Next Variable', system-ui, sans-serif",
  fontFamilyMonospace: "'Atkinson Hyperlegible Mono Variable', ui-monospace, monospace",
  headings: {
    fontWeight: '650',
    sizes: { h1: { fontSize: '1.5rem', lineHeight: '1.25' }, h2: { fontSize: '1.0625rem', lineHeight: '1.4' } },
  },
  fontSizes: { xs: '0.8125rem', sm: '0.9375rem', md: '1rem' },
  defaultRadius: 'md',
  radius: { md: '0.4375rem' },
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    // A window's heading is no banner of the page.
    // The lock's own style element would offend the content security policy; base.css locks instead.
    Modal: {
      defaultProps: {
        lockScroll: false,
        attributes: { header: { role: 'presentation' } },
        centered: true,
        radius: 'lg',
        transitionProps: { transition: 'fade', duration: 120 },
      },
    },
    Drawer: {
      defaultProps: {
        lockScroll: false,
        attributes: { header: { role: 'presentation' } },
        position: 'right',
        transitionProps: { duration: 140 },
      },
    },
    Tooltip: { defaultProps: { withArrow: true, openDelay: 300, events: { hover: true, focus: true, touch: false } } },
    Alert: { defaultProps: { radius: 'md' } },
  },
};
