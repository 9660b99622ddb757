// What a report says of the fonts of a document. Runs in the farm's isolated world after the
// capture. `typefaces.py` sends this file with each call; `name` is one of `farm`.
async function (name, ...args) {
  // A form's fields hide its own properties, also in this world. So properties of elements are
  // taken from the prototypes, where no page can change them.
  const own = (type, name) => {
    const property = Object.getOwnPropertyDescriptor(type.prototype, name);
    return (object, ...args) => (property.get ?? property.value).call(object, ...args);
  };
  const isVisible = own(Element, 'checkVisibility');
  const shadowRootOf = own(Element, 'shadowRoot');

  // The properties that decide about the font of a character.
  const PROPERTIES = [
    'font-family', 'font-size', 'font-style', 'font-weight', 'font-stretch', 'font-variant',
    'text-transform', '-webkit-locale',
  ];
  const MAX_MS = 400;
  // The clock may stand still (`deterministic`), so the number of nodes is bounded too.
  const MAX_NODES = 50_000;
  const MAX_STYLES = 100;
  const MAX_CLUSTERS = 1000;
  const MAX_TEXT = 20_000;
  const MAX_CLUSTER = 20;

  // The characters as a reader sees them, by their style; bounded in number and in time.
  const collect = () => {
    const end = performance.now() + MAX_MS;
    const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
    const styles = new Map();
    let isWhole = true;
    let nodes = 0;

    const add = (element, text, pseudo) => {
      const style = getComputedStyle(element, pseudo);
      const values = PROPERTIES.map((name) => style.getPropertyValue(name));
      const key = values.join('\n');
      if (!styles.has(key)) {
        if (styles.size === MAX_STYLES) return void (isWhole = false);
        styles.set(key, { values, clusters: new Set() });
      }
      const { clusters } = styles.get(key);
      isWhole &&= text.length <= MAX_TEXT;
      const cut = text.slice(0, MAX_TEXT);
      const parts = /^[\x00-\x7f]*$/.test(cut) ? cut : segmenter.segment(cut);
      for (const part of parts) {
        if (clusters.size === MAX_CLUSTERS) return void (isWhole = false);
        clusters.add((part.segment ?? part).slice(0, MAX_CLUSTER));
      }
    };

    const addElement = (element) => {
      const isField = element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement;
      if (isField && element.type !== 'password' && isVisible(element, { visibilityProperty: true }))
        add(element, element.value || element.placeholder);
      for (const pseudo of ['::before', '::after', '::marker']) {
        const { content } = getComputedStyle(element, pseudo);
        if (content?.startsWith('"') && isVisible(element, { visibilityProperty: true }))
          add(element, content.slice(1, -1), pseudo);
      }
    };

    const walk = (root) => {
      const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        if (++nodes > MAX_NODES || performance.now() > end) return void (isWhole = false);
        const node = walker.currentNode;
        if (node instanceof Element) {
          addElement(node);
          const shadow = shadowRootOf(node);
          if (shadow) walk(shadow);
        } else if (/\S/.test(node.data)) {
          const parent = node.parentNode;
          const element = parent instanceof ShadowRoot ? parent.host : parent;
          if (isVisible(element, { visibilityProperty: true })) add(element, node.data);
        }
      }
    };

    walk(document);
    return { styles: [...styles.values()], isWhole };
  };

  // A font without any character that is used, whose glyph for missing characters is 300 em wide.
  // As the first font of a text it provides the glyph for missing characters. So a character that
  // no font has makes the text very wide.
  const NOTDEF =
    'd09GMgABAAAAAAEEAAoAAAAAAlgAAAC9AAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAABmAAUAooPAE2AiQDBgsGAAQgBSgHIBuz' +
    'AQCeh7EzYoQSp6RvrV6Kh/qx9nb3FDHpGq2RbwjNqmgjVTolkgv8+oJMX/b6eoCBmhw/YOBhgBagHkjCcfPfAo9hK4dTnK6q' +
    'z1FXh0uiQ1dBW2HUwsgCAGAHFAobSmBDGcOZjhWkhNZoTWACbADCTPtjnAAJOkj0MAB0QIiqiHG1kxMkhOVnRZ/zB+UBvg6/' +
    'fztw4gQlQfCSfB7x8e9EAMAfn0EglQBJIEhbSnSGwgD78ZQGrt168+hGAQA=';
  const MISSING_PX = 2000;
  // Controls, spaces, and characters without a glyph of their own; a combining mark has one.
  const INVISIBLE = /^[\p{Cc}\p{Cf}\p{Z}\p{Cs}\p{Default_Ignorable_Code_Point}]*$/u;

  const missing = (styles, most) => {
    const end = performance.now() + MAX_MS;
    const bytes = Uint8Array.from(atob(NOTDEF), (byte) => byte.charCodeAt(0));
    const face = new FontFace('farm notdef', bytes);
    document.fonts.add(face);
    const context = new OffscreenCanvas(1, 1).getContext('2d');
    const isMissing = (text) => context.measureText(text).width > MISSING_PX;
    const found = new Set();
    let isWhole = true;
    for (const { values, clusters } of styles) {
      context.font = `10px "farm notdef", ${values[0]}`;
      const visible = [...clusters].filter((cluster) => !INVISIBLE.test(cluster));
      for (const cluster of isMissing(visible.join(' ')) ? visible : []) {
        if (found.size === most || performance.now() > end) {
          isWhole = false;
          break;
        }
        if (!isMissing(cluster)) continue;
        const characters = [...cluster].filter((character) => !INVISIBLE.test(character));
        const lone = characters.filter(isMissing);
        for (const character of lone.length ? lone : [cluster]) found.add(character);
      }
    }
    document.fonts.delete(face);
    return { characters: [...found].map((text) => text.toWellFormed()), isWhole };
  };

  const farm = {
    // Characters that none of the fonts has, as far as they are found in time.
    missing: async (most) => {
      const { styles, isWhole } = collect();
      const found = missing(styles, most);
      return { characters: found.characters, isWhole: isWhole && found.isWhole };
    },

    // An invisible element with each character of the document once in each style. Chromium reports
    // the fonts of an element's children and grandchildren only. It is in a shadow tree, where no
    // style of the page applies.
    sample: async () => {
      const make = (name) => document.createElementNS('http://www.w3.org/1999/xhtml', name);
      const host = make('div');
      host.style.cssText = 'all: initial !important; position: fixed !important;';
      host.style.setProperty('visibility', 'hidden', 'important');
      const shadow = host.attachShadow({ mode: 'closed' });
      for (const { values, clusters } of collect().styles) {
        const span = make('span');
        PROPERTIES.forEach((name, index) => span.style.setProperty(name, values[index]));
        span.textContent = [...clusters].join(' ');
        shadow.append(span);
      }
      document.documentElement.append(host);
      // Laid out at once: Chromium reports fonts of what is laid out.
      host.getBoundingClientRect();
      return host;
    },
  };
  return farm[name](...args);
}
