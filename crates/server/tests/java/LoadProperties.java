import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.util.Properties;
import java.util.TreeMap;

/**
 * Loads many property texts with the real java.util.Properties.
 *
 * Input: texts, each a 4-byte length and its bytes. Output: one line per text, "malformed" or its keys and values in
 * the order of the keys, every string as UTF-16 units in hexadecimal, "key=value" joined by blanks.
 */
class LoadProperties {
    public static void main(String[] args) throws Exception {
        DataInputStream in = new DataInputStream(System.in);
        StringBuilder out = new StringBuilder();
        while (true) {
            byte[] text;
            try {
                text = new byte[in.readInt()];
            } catch (EOFException end) {
                break;
            }
            in.readFully(text);
            out.append(load(text)).append('\n');
        }
        System.out.print(out);
    }

    private static String load(byte[] text) throws Exception {
        Properties properties = new Properties();
        try {
            properties.load(new ByteArrayInputStream(text));
        } catch (IllegalArgumentException malformed) {
            return "malformed";
        }
        TreeMap<String, String> sorted = new TreeMap<>();
        properties.forEach((key, value) -> sorted.put(hex((String) key), hex((String) value)));
        StringBuilder line = new StringBuilder();
        sorted.forEach((key, value) -> line.append(key).append('=').append(value).append(' '));
        return line.toString().trim();
    }

    private static String hex(String text) {
        StringBuilder hex = new StringBuilder();
        text.chars().forEach(unit -> hex.append(String.format("%04x", unit)));
        return hex.toString();
    }
}
