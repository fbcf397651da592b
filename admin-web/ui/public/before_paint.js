// Theme and language before the first paint, in a file of its own because the policy of the page allows no inline script.
(() => {
  const root = document.documentElement;
  const kept = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  };
  const chosen = kept('theme');
  const dark = chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  root.dataset.mantineColorScheme = dark ? 'dark' : 'light';
  root.lang = kept('language') ?? (navigator.language.startsWith('en') ? 'en' : 'fr');
})();
