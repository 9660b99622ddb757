// What a PDF needs of a document. Runs in the farm's isolated world. `templates.py` and
// `single_page.py` send this file with each call; `name` is one of `farm`.
async function (name, ...args) {
  // Further elements are ignored: they would take too long.
  const MAX_ELEMENTS = 20_000;
  const HEIGHTS = [
    'height', 'min-height', 'max-height',
    'padding-top', 'padding-bottom', 'margin-top', 'margin-bottom',
  ];

  const heightsOf = (element) => {
    const style = getComputedStyle(element);
    return HEIGHTS.map((name) => style.getPropertyValue(name));
  };

  // Elements of the page can hide the properties of `document`. So the properties are taken from
  // the prototypes, where no page can change them.
  const own = (name, type = Document) => Object.getOwnPropertyDescriptor(type.prototype, name);
  const get = (name, type) => own(name, type).get.call(document);
  const find = (selector) => own('querySelectorAll').value.call(document, selector);
  const adopt = (sheets) => own('adoptedStyleSheets').set.call(document, sheets);

  const elements = () => [...find('*')].slice(0, MAX_ELEMENTS);

  const styleOf = (element) => {
    const type = [HTMLElement, SVGElement, MathMLElement].find((each) => element instanceof each);
    return type && own('style', type).get.call(element);
  };

  // A height that follows from the content, or from the space that is left, need not be kept.
  const isSet = (element, name) => {
    const value = own('computedStyleMap', Element).value.call(element).get(name);
    const isAbsolute = name === 'height' && getComputedStyle(element).position === 'absolute';
    return isAbsolute || `${value}` !== 'auto';
  };

  // Until `undo`.
  const setStyle = (element, name, value) => {
    const style = styleOf(element);
    if (!style) return;
    const before = [style.getPropertyValue(name), style.getPropertyPriority(name)];
    globalThis.farmPrinting.styles.push([style, name, ...before]);
    style.setProperty(name, value, 'important');
  };

  const facesIn = (rules, base) =>
    [...rules].flatMap((rule) => {
      if (rule instanceof CSSFontFaceRule) return [faceOf(rule.style, base)];
      // An imported sheet is a sheet of its own.
      return rule.cssRules && !rule.styleSheet ? facesIn(rule.cssRules, base) : [];
    });

  const DESCRIPTORS = ['font-style', 'font-weight', 'font-stretch', 'unicode-range', 'size-adjust'];
  const faceOf = (style, base) => {
    const urls = [...style.getPropertyValue('src').matchAll(/url\("((?:[^"\\]|\\.)*)"\)/g)];
    const css = DESCRIPTORS.map((name) => [name, style.getPropertyValue(name)]);
    return {
      family: style.getPropertyValue('font-family'),
      css: css.filter(([, value]) => value).map(([name, value]) => `${name}: ${value};`).join(' '),
      urls: urls.flatMap(([, url]) => URL.parse(url, base)?.href ?? []),
    };
  };

  // Sheets of other sites cannot be read.
  const rulesOf = (sheet) => {
    try {
      return sheet.cssRules;
    } catch {
      return null;
    }
  };

  const importsOf = (sheet) =>
    [...(rulesOf(sheet) ?? [])].flatMap(({ styleSheet }) =>
      styleSheet ? [styleSheet, ...importsOf(styleSheet)] : [],
    );

  const farm = {
    // The `@font-face` rules of the sheets that can be read, these sheets' URLs, and the fonts of
    // the text.
    fontFaces: () => {
      const linked = [...get('styleSheets')].flatMap((sheet) => [sheet, ...importsOf(sheet)]);
      const sheets = [...linked, ...get('adoptedStyleSheets')].filter(rulesOf);
      const body = find('body')[0] ?? get('documentElement');
      return {
        faces: sheets.flatMap((sheet) => facesIn(rulesOf(sheet), sheet.href ?? get('baseURI', Node))),
        read: sheets.flatMap((sheet) => sheet.href ?? []),
        families: getComputedStyle(body).fontFamily,
      };
    },

    // The `@font-face` rules of a sheet's text.
    fontFacesIn: (text, base) => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(text);
      return { faces: facesIn(sheet.cssRules, base) };
    },

    // A header can only have fonts that its process has loaded from exactly the same URL. They are
    // kept until the document goes. The document's CSP may forbid some.
    loadFonts: async (urls) => {
      const faces = urls.map((url) => new FontFace('farm', `url(${JSON.stringify(url)})`));
      globalThis.farmFonts = faces;
      await Promise.allSettled(faces.map((face) => face.load()));
    },

    // No page ends before its content does, and the page's CSS sets no margins other than these.
    // Sections that are laid out only in view (`content-visibility: auto`) are all laid out, as in
    // the print.
    joinPages: (margins) => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(`
        @page { size: auto !important; margin: ${margins.map((px) => `${Number(px)}px`).join(' ')} !important; }
        *, ::before, ::after {
          break-before: auto !important; break-after: auto !important; page: auto !important;
        }`);
      adopt([...get('adoptedStyleSheets'), sheet]);
      globalThis.farmPrinting = { sheet, heights: [], styles: [] };
      for (const element of elements())
        if (getComputedStyle(element).contentVisibility === 'auto')
          setStyle(element, 'content-visibility', 'visible');
    },

    noteHeights: () => {
      const noted = elements().map((element) => [element, heightsOf(element)]);
      globalThis.farmPrinting.heights = noted;
    },

    // Elements whose height or vertical space has changed with the viewport get back what was noted.
    // `mayBeLower`: except the least height (`min-height: 100vh`), which low content need not fill.
    freezeHeights: (mayBeLower) => {
      const { heights } = globalThis.farmPrinting;
      const changed = heights.map(([element, before]) => [element, before, heightsOf(element)]);
      for (const [element, before, now] of changed) {
        // A fixed element makes no page higher, and may fill all of it.
        if (before.join() === now.join() || getComputedStyle(element).position === 'fixed') continue;
        HEIGHTS.forEach((name, index) => {
          if (before[index] === now[index] || (mayBeLower && name === 'min-height')) return;
          if (isSet(element, name)) setStyle(element, name, before[index]);
        });
      }
    },

    undo: () => {
      const { sheet, styles } = globalThis.farmPrinting ?? { styles: [] };
      adopt([...get('adoptedStyleSheets')].filter((each) => each !== sheet));
      for (const [style, name, value, priority] of styles.reverse())
        style.setProperty(name, value, priority);
      delete globalThis.farmPrinting;
    },
  };
  return farm[name](...args);
}
