import java.io.DataInputStream;
import java.nio.charset.StandardCharsets;

/**
 * Decodes many byte strings as UTF-8 with the real java.lang.String.
 *
 * Input: byte strings, each behind a 2-byte length. Output: one line for each, its UTF-16 units in hexadecimal.
 */
class DecodeText {
    public static void main(String[] arguments) throws Exception {
        DataInputStream in = new DataInputStream(System.in);
        StringBuilder out = new StringBuilder();
        while (true) {
            int length = in.read() << 8 | in.read();
            if (length < 0) {
                break;
            }
            byte[] bytes = new byte[length];
            in.readFully(bytes);
            String text = new String(bytes, StandardCharsets.UTF_8);
            for (int at = 0; at < text.length(); at++) {
                out.append(String.format("%04x", (int) text.charAt(at)));
            }
            out.append('\n');
        }
        System.out.print(out);
    }
}
