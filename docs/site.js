const box = document.getElementById("find"), list = document.getElementById("found");
box.addEventListener("input", () => {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  const hits = words.length ? INDEX.filter(([, , text]) => words.every((word) => text.includes(word))).slice(0, 20) : [];
  list.replaceChildren(...hits.map(([address, title]) => {
    const link = document.createElement("a");
    link.href = address;
    link.textContent = title;
    const item = document.createElement("li");
    item.append(link);
    return item;
  }));
});
